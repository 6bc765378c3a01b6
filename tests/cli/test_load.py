from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import WriteDataset
from tests.load.stub import Reply, Request, good, in_thread

from hotrow.cli import _frame
from hotrow.cli.main import app
from hotrow.data.schema import Schema
from hotrow.errors import StorageError

PATIENCE = 120
"""Seconds after which a test gives up; nothing is expected to take long."""

LENIENT = ("--sla-ms", 600_000)
"""A busy machine may make the generator late; with this target that is no reason to refuse."""

BRIEF = ("--qps", 200, "--seconds", 0.3, "--warmup-s", 0.05, "--sizes", "fixed:5", *LENIENT)


def hotrow(*words: object) -> int:
    return _frame.run(lambda: app([str(word) for word in words], standalone_mode=False))


@pytest.fixture
def data(tmp_path: Path, write_dataset: WriteDataset, criteo_columns: Schema) -> Path:
    """Return a prepared data set with all Criteo columns."""
    return write_dataset(tmp_path / "data", schema=criteo_columns)


@pytest.fixture
def log(tmp_path: Path, criteo_rows: Callable[..., list[str]]) -> Path:
    """Return a raw log."""
    path = tmp_path / "log.tsv"
    path.write_text("".join(f"{line}\n" for line in criteo_rows(40, labelled=True)))
    return path


@pytest.fixture(scope="module")
def server(criteo_run: Path) -> Iterator[str]:
    """Return the address of ``hotrow serve`` with a small real model called ``ads``."""
    command = [sys.executable, "-m", "hotrow", "serve", str(criteo_run), "--port", "0", "--name", "ads"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert process.stderr is not None
    try:
        lines = iter(process.stderr.readline, b"")
        found = next(found for line in lines if (found := re.search(r"at (http://\S+) ", line.decode())))
        yield found[1]
    finally:
        process.kill()
        process.communicate()


def test_a_load_is_reported_as_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with in_thread() as stub:
        assert hotrow("load", stub.url, "--data", data, *BRIEF, "--json", "--processes", 2, "--seed", 4) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["sent"] == result["ok"] > 20
    assert (result["shed"], result["expired"], result["failed"]) == (0, 0, 0)
    assert 0 < result["p50_ms"] <= result["p95_ms"] <= result["p99_ms"]
    assert result["offered_items_per_second"] == pytest.approx(result["offered_qps"] * 5)
    assert result["items_per_second"] == pytest.approx(result["qps"] * 5)
    assert (result["seconds"], result["within_sla"], result["partial"]) == (pytest.approx(0.3), 1, False)
    assert result["lag"].keys() == {"p50_ms", "p99_ms", "max_ms", "allowed_p99_ms"}
    assert (result["api"], result["model"], result["processes"]) == ("binary", "m", 2)
    assert (result["source"], result["is_synthetic"]) == (str(data), False)
    assert (result["load"]["sizes"], result["load"]["seed"]) == ("fixed:5", 4)


def test_people_get_a_table_and_a_record(
    criteo_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answer(request: Request) -> Reply:
        return Reply(503) if request.path.endswith("infer") and shed.pop() else await good(request)

    shed = [False, True] * 200
    with in_thread(answer) as stub:
        assert hotrow("load", stub.url, "--data", criteo_run, *BRIEF, "--save", tmp_path / "q.csv") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"binary load on {stub.url}\n")
    assert re.search(r"candidates from +a Zipf law: synthetic", printed)
    assert re.search(r"latency p99, ms +\d+\.\d\d \(95% confidence \S+ to \?\)", printed)
    assert re.search(r"generator's own lag, ms +\d", printed)
    statuses = [line.rpartition(",")[2] for line in (tmp_path / "q.csv").read_text().splitlines()[1:]]
    assert set(statuses) == {"ok", "shed"}
    assert re.search(rf"  shed +{statuses.count('shed')}\n", printed)


@pytest.mark.parametrize(
    ("rows", "api"),
    [
        ("log", "rank"),
        ("log", "json"),
        ("data", "binary"),
        ("data", "json"),
        ("run", "binary"),
        (None, "binary"),
    ],
)
def test_the_real_server_is_loaded(
    server: str,
    log: Path,
    data: Path,
    criteo_run: Path,
    rows: str | None,
    api: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words: list[object] = ["load", server, "--api", api, "--context", "I1,C3", *BRIEF]
    if rows is not None:
        words += ["--model", "ads", "--data", {"log": log, "data": data, "run": criteo_run}[rows]]
    assert hotrow(*words, "--qps", 40, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["model"] == "ads"
    assert result["failed"] == 0, result["first_failure"]
    assert result["ok"] + result["shed"] == result["sent"]
    assert result["ok"] > 0


def test_what_the_server_refuses_is_shown(
    server: str, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"I1": 1, "C1": "not hexadecimal"}\n')
    assert hotrow("load", server, "--model", "ads", "--data", bad, *BRIEF) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: no query was answered; the first failed with: BadAnswerError: HTTP 400")
    assert "C1" in message


def test_a_server_that_does_not_keep_up_makes_the_run_invalid(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answer(request: Request) -> Reply:
        if request.path.endswith("infer"):
            await asyncio.Event().wait()  # which never comes
        return await good(request)

    with in_thread(answer) as stub:
        words = ("load", stub.url, "--data", data, *BRIEF, "--max-outstanding", 7, "--grace-s", 0)
        assert hotrow(*words) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: the run is invalid: 7 queries were unanswered at ")


def test_where_most_queries_fail_the_status_says_so(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def answer(request: Request) -> Reply:
        return Reply(500) if request.path.endswith("infer") and next(count) % 4 else await good(request)

    count = itertools.count()
    with in_thread(answer) as stub:
        assert hotrow("load", stub.url, "--data", data, *BRIEF) == 1
    printed = capsys.readouterr()
    assert re.search(r"warm-up before, not counted +\d+ queries in 0.05 s\n", printed.out)
    assert re.search(r"generator's own lag, ms .* \(99%; allowed: 60,?000.00\), ", printed.out)
    said = r"error: \d+ of \d+ queries failed, the first with: BadAnswerError: HTTP 500.*"
    assert re.fullmatch(said, printed.err.splitlines()[-1])


def test_ctrl_c_reports_what_was_measured(data: Path) -> None:
    enough = threading.Event()
    count = iter(range(1, 1_000_000))

    async def answer(request: Request) -> Reply:
        if next(count) > 30:
            enough.set()
        return await good(request)

    with in_thread(answer) as stub:
        words = ["load", stub.url, "--data", data, "--qps", 200, "--seconds", 600, "--warmup-s", 0, *LENIENT]
        process = subprocess.Popen(
            [sys.executable, "-m", "hotrow", *map(str, words), "--sizes", "fixed:5", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert enough.wait(PATIENCE)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err.decode()
    assert err.decode().endswith("interrupted\n")
    assert "Traceback" not in err.decode()
    result = json.loads(out)
    assert result["partial"] is True
    assert result["sent"] == result["ok"] > 20
    assert 0 < result["seconds"] < 600


def test_a_record_that_cannot_be_written_costs_no_report(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr("hotrow.load.save.save", refuse)
    with in_thread() as stub:
        assert hotrow("load", stub.url, "--data", data, *BRIEF, "--save", tmp_path / "q.csv") == 2
    printed = capsys.readouterr()
    assert printed.out.startswith(f"binary load on {stub.url}\n")
    assert printed.err.splitlines()[-1] == "error: no space left"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("http://127.0.0.1:9",), "--qps: missing, expected a rate, in queries per second"),
        (("http://127.0.0.1:9", "--qps", 5), "URL: got 'http://127.0.0.1:9', expected a running server"),
        (("localhost", "--qps", 5), "URL: got 'localhost', expected an address such as"),
        (
            ("http://127.0.0.1:9", "--qps", 5, "--seconds", 4000),
            "--seconds: got 4000.0, expected more than 0",
        ),
        (
            ("http://127.0.0.1:9", "--qps", 5, "--arrivals", "bursty"),
            "arrivals: got 'bursty', expected poisson or",
        ),
        (("http://127.0.0.1:9", "--qps", 5, "--save", "x.txt"), "--save: got 'x.txt'"),
        (
            ("http://127.0.0.1:9", "--qps", 5, "--save", "none/q.csv"),
            "none/q.csv', expected a file in a folder",
        ),
        (("http://127.0.0.1:9", "--qps", 5, "--max-size", 10**20), "error: --max-size: got 1000000000000000"),
        (("http://127.0.0.1:9", "--qps", "x"), "Invalid value for '--qps'"),
        (("http://127.0.0.1:9", "--qps", 5, "--sla-ms", 0), "--sla-ms: got 0.0, expected more than 0"),
        (("http://127.0.0.1:9", "--qps", 5, "--max-lag-ms", "nan"), "--max-lag-ms: got nan"),
        ((), "Missing argument 'URL'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    words: tuple[Any, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hotrow("load", *words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("load", "--help") == 0
    assert "hotrow load http://127.0.0.1:8000 --qps 500" in capsys.readouterr().out
