"""``hotrow train`` and ``hotrow evaluate``, in this process."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotrow.cli.main import main
from hotrow.train.loop import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")

WriteDataset = Callable[..., Path]
REAL = Path(__file__).parents[3] / "shared" / "data" / "criteo-kaggle-10k" / "train.txt"
QUICK = ("--model", "dlrm-small", "--set", "batch_size=64", "--set", "log_every=4")


@pytest.fixture
def data(tmp_path: Path, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path / "data")


@pytest.fixture
def hotrow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command line: exit status, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hotrow", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        output = capsys.readouterr()
        status = caught.value.code
        assert isinstance(status, int)
        return status, output.out, output.err

    return run


Hotrow = Callable[..., tuple[int, str, str]]


def _json(text: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(text)
    return result


def test_train_then_evaluate(tmp_path: Path, data: Path, hotrow: Hotrow) -> None:
    run = tmp_path / "run"
    status, out, _ = hotrow("train", data, "--out", run, *QUICK, "--epochs", 2, "--seed", 3, "--json")
    assert status == 0
    trained = _json(out)
    assert {"samples", "samples_per_second", "epochs", "validation", "run"} <= trained.keys()
    assert (trained["samples"], trained["run"]) == (1600, str(run))
    config = _json((run / "config.json").read_text())
    assert (config["train"]["epochs"], config["train"]["seed"], config["train"]["batch_size"]) == (2, 3, 64)
    assert config["command"][:3] == ["hotrow", "train", str(data)]

    status, out, _ = hotrow("evaluate", run, "--json")
    assert status == 0
    tested = _json(out)
    assert {"rows", "auc", "log_loss", "ne", "calibration", "accuracy", "auc_error", "split"} <= tested.keys()
    assert tested["auc"] == pytest.approx(trained["test"]["auc"])
    status, out, _ = hotrow("evaluate", run, data, "--split", "valid")
    assert status == 0
    assert "log_loss" in out


def test_resuming_a_finished_run_says_so(tmp_path: Path, data: Path, hotrow: Hotrow) -> None:
    run = tmp_path / "run"
    first = _json(hotrow("train", data, "--out", run, *QUICK, "--json")[1])
    status, out, err = hotrow("train", data, "--out", run, "--resume", "--json")
    assert (status, _json(out)) == (0, first)
    assert "finished before; nothing was trained" in err


def test_ctrl_c_exits_130_and_says_how_to_go_on(
    tmp_path: Path, data: Path, hotrow: Hotrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer._step
    steps: list[int] = []

    def press(self: Trainer, batch: Any) -> None:
        step(self, batch)
        steps.append(1)
        if len(steps) == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_step", press)
    run = tmp_path / "run"
    status, out, err = hotrow("train", data, "--out", run, *QUICK)
    assert (status, out) == (130, "")
    assert f"hotrow train {data} --out {run} --resume" in err
    assert "Traceback" not in err
    monkeypatch.undo()
    status, out, _ = hotrow("train", data, "--out", run, "--resume", "--json")
    assert status == 0
    assert _json(out)["steps"] == 13


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "deepfm"), "model: got 'deepfm', expected one of dlrm"),
        (("--strategy", "hybrid"), "--strategy: got 'hybrid', expected cpu, the only one in this version"),
        (("--precision", "bf16"), "--precision: got 'bf16', expected fp32"),
        (("--set", "batchsize=3"), "batchsize: got '3', expected one of the fields epochs, batch_size"),
        (("--set", "batch_size"), "expected key=value"),
        (("--set", "batch_size=0"), "batch_size: got 0, expected at least 1"),
        (("--set", "strategy=fae"), "strategy: got 'fae'"),
        (("--resume",), "config.json: not found, expected a run"),
        (("--resume", "--overwrite"), "--overwrite"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, data: Path, hotrow: Hotrow, words: tuple[str, ...], message: str
) -> None:
    status, out, err = hotrow("train", data, "--out", tmp_path / "run", *words)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_with_something_else(tmp_path: Path, data: Path, hotrow: Hotrow) -> None:
    run = tmp_path / "run"
    hotrow("train", data, "--out", run, *QUICK)
    status, _, err = hotrow("train", data, "--out", run, "--resume", "--set", "tables.lr=0.5")
    assert (status, err.count("\n")) == (2, 1)
    assert "train.tables.lr: got 0.5" in err
    status, _, err = hotrow("train", data, "--out", run, "--resume", "--model", "dlrm")
    assert status == 2
    assert "expected dlrm-small, with which" in err
    status, _, err = hotrow("train", data, "--out", run)
    assert status == 2
    assert "--resume" in err


def test_evaluating_what_is_no_run(tmp_path: Path, hotrow: Hotrow) -> None:
    status, out, err = hotrow("evaluate", tmp_path)
    assert (status, out) == (2, "")
    assert "expected a model written by `hotrow train`" in err


@pytest.mark.skipif(not REAL.exists(), reason=f"needs the real log {REAL}")
def test_the_real_log_with_no_special_flag(tmp_path: Path, hotrow: Hotrow) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    assert hotrow("prepare", "criteo", REAL, "--out", data)[0] == 0
    status, out, _ = hotrow("train", data, "--model", "dlrm", "--out", run, "--json")
    assert status == 0
    trained = _json(out)
    assert trained["validation"]["auc"] > 0.6
    tested = _json(hotrow("evaluate", run, "--split", "test", "--json")[1])
    assert tested["rows"] == trained["test"]["rows"] > 0
    assert tested["ne"] < 1.0
