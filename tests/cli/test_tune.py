from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 120
QUICK = (
    "--synthetic",
    "--sla-ms",
    "2000",
    "--percentile",
    "60",
    "--sizes",
    "fixed:20",
    "--seconds",
    "6",
    "--workers",
    "1",
)


def tune(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hotrow", "tune", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def tuned(criteo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    page = tmp_path_factory.mktemp("tune") / "page.html"
    done = tune(criteo_run, *QUICK, "--out", page, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), page.read_text()


def test_the_result_has_what_is_promised(tuned: tuple[dict[str, Any], str]) -> None:
    result, _ = tuned
    assert {"batch_size", "offload_threshold", "qps", "items_per_second", "static", "gain", "history"} <= set(
        result
    )
    assert result["offload_threshold"] is None
    assert result["accelerator"] == "none"
    assert result["is_synthetic"] is True
    assert result["qps"] > 0  # that none of the statics beats it is how it is chosen
    assert result["seconds"] < PATIENCE
    assert {step["phase"] for step in result["history"]} >= {"static 25"}


def test_the_page_shows_every_measurement(tuned: tuple[dict[str, Any], str]) -> None:
    result, page = tuned
    assert page.count("<tr><td>") == len(result["history"])
    assert "Tuning dlrm" in page


def test_where_no_rate_holds_it_says_what_to_do(criteo_run: Path) -> None:
    done = tune(criteo_run, *QUICK, "--sla-ms", "0.001", "--seconds", "1")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        "error: no rate held p60 <= 0.001 ms within 1 s of measuring: give it more --seconds"
    )
    assert "none: no setting held at any rate tried" in done.stdout
    assert "lag" not in done.stdout


def test_a_modelled_accelerator_is_told(criteo_run: Path, tmp_path: Path) -> None:
    table = tmp_path / "gpu.csv"
    table.write_text("rows,ms\n1,1\n100,2\n")
    done = tune(criteo_run, *QUICK, "--accelerator-table", table, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["accelerator"].startswith("modelled accelerator (gpu.csv")
    assert result["is_synthetic"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sla-ms", "0"), "--sla-ms: got 0.0, expected more than 0"),
        (("--sla-ms", "9", "--percentile", "100"), "--percentile: got 100.0"),
        (("--sla-ms", "9", "--workers", "0"), "--workers: got 0, expected at least 1"),
        (("--sla-ms", "9", "--sizes", "odd"), "--sizes"),
        (("--sla-ms", "9", "--out", "x.png"), "a file name that ends in .html or .json"),
        (("--sla-ms", "9", "--accelerator-table", "none.csv"), "none.csv: not found"),
        (("--sla-ms", "9"), "give the data set's folder as --dataset, or pass --synthetic"),
    ],
    ids=range(7),
)
def test_mistakes_are_told_in_one_line(criteo_run: Path, options: tuple[str, ...], message: str) -> None:
    synthetic = () if options == ("--sla-ms", "9") else ("--synthetic",)
    done = tune(criteo_run, *options, *synthetic)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_ctrl_c_leaves_nothing_behind(criteo_run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = (
        criteo_run,
        "--synthetic",
        "--sla-ms",
        "2000",
        "--sizes",
        "fixed:20",
        "--seconds",
        "600",
        "--out",
        page,
        "-v",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "hotrow", "tune", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "static 25" in line:
            break
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def test_the_whole_server_is_tuned_over_http(criteo_run: Path) -> None:
    done = tune(criteo_run, *QUICK, "--over", "http", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["over"] == "http"
    assert result["qps"] > 0
    assert {step["phase"] for step in result["history"]} >= {"static 25"}


@pytest.mark.parametrize("over", ["grpc", ""])
def test_an_unknown_way_is_refused(criteo_run: Path, over: str) -> None:
    done = tune(criteo_run, *QUICK, "--over", over)
    assert done.returncode == 2
    assert "--over: got " in done.stderr
    assert "expected engine or http" in done.stderr
