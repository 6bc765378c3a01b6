"""``hotrow train`` and ``hotrow evaluate``, in this process."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import small_schema
from tests.train.heads import user_schema

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


def test_rankings_need_groups(tmp_path: Path, data: Path, hotrow: Hotrow) -> None:
    run = tmp_path / "run"
    assert hotrow("train", data, "--out", run, *QUICK)[0] == 0
    for words, message in [
        (("--at", "5,10"), "--at: got '5,10', expected a data set with a column that groups rows"),
        (("--item", "C1"), "--item: got 'C1', expected a data set with a column that groups rows"),
        (("--at", "0"), "--at: got '0', expected whole numbers of at least 1, such as 5,10,20"),
        (("--at", "five"), "--at: got 'five'"),
    ]:
        status, out, err = hotrow("evaluate", run, *words)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_a_data_set_of_users_and_two_labels(
    tmp_path: Path, write_dataset: WriteDataset, hotrow: Hotrow
) -> None:
    data, run = write_dataset(tmp_path / "users", schema=user_schema()), tmp_path / "run"
    options = ("--set", "model.tasks=buy", "--set", "validation.metric=gauc", "--json")
    trained = _json(hotrow("train", data, "--out", run, *QUICK, *options)[1])
    assert _json((run / "config.json").read_text())["model"]["config"]["tasks"] == ["buy"]
    tested = _json(hotrow("evaluate", run, "--at", "3,1", "--item", "item", "--json")[1])
    assert tested["positives"] == trained["test"]["positives"]
    assert {"hr@1", "hr@3", "ndcg@3", "recall@1", "coverage@3", "mrr", "gauc"} <= tested["ranking"].keys()
    assert trained["test"]["ranking"]["gauc"] == pytest.approx(tested["ranking"]["gauc"])
    text = hotrow("evaluate", run)[1]
    assert "ndcg@10" in text
    status, _, err = hotrow("evaluate", run, "--item", "brand")
    assert (status, err) == (
        2,
        "error: --item: got 'brand', expected one of the categorical features item, c\n",
    )


def test_resuming_a_finished_run_says_so(tmp_path: Path, data: Path, hotrow: Hotrow) -> None:
    run = tmp_path / "run"
    first = _json(hotrow("train", data, "--out", run, *QUICK, "--json")[1])
    status, out, err = hotrow("train", data, "--out", run, "--resume", "--json")
    assert (status, _json(out)) == (0, first)
    assert "finished before; nothing was trained" in err


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_go_on(
    tmp_path: Path,
    data: Path,
    hotrow: Hotrow,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    expected: int,
) -> None:
    step = Trainer._step
    steps: list[int] = []

    def press(self: Trainer, batch: Any) -> None:
        step(self, batch)
        steps.append(1)
        if len(steps) == 5:
            signal.raise_signal(number)

    monkeypatch.setattr(Trainer, "_step", press)
    run = tmp_path / "run"
    status, out, err = hotrow("train", data, "--out", run, *QUICK)
    assert (status, out) == (expected, "")
    assert f"hotrow train {data} --out {run} --resume" in err
    assert "Traceback" not in err
    monkeypatch.undo()
    status, out, _ = hotrow("train", data, "--out", run, "--resume", "--json")
    assert status == 0
    assert _json(out)["steps"] == 13


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "deepfn"), "model: got 'deepfn', expected one of "),
        (("--strategy", "hybrid"), "--strategy: got 'hybrid', expected cpu, the only one in this version"),
        (("--precision", "fp16"), "precision: got 'fp16', expected fp32 or bf16"),
        (
            ("--set", "batchsize=3"),
            "batchsize: got '3', expected batch_size, or another of the fields epochs,",
        ),
        (("--set", "lr=3"), "lr: got '3', expected tables.lr or dense.lr, or another of the fields"),
        (("--set", "model.botom=3"), "model.botom: got '3', expected model.bottom, or another"),
        (("--set", "batch_size"), "expected key=value"),
        (("--set", "batch_size=0"), "batch_size: got 0, expected at least 1"),
        (("--set", "strategy=fae"), "strategy: got 'fae'"),
        (
            ("--set", "model.tasks=income"),
            "got 'income', expected one or more of the data set's labels label",
        ),
        (("--set", "model.tasks=label,income"), "got 'label, income', expected one label: this model learns"),
        (("--set", "task_weights=1,2"), "task_weights: got [1.0, 2.0], expected one number for each"),
        (("--set", "validation.metric=ndcg"), "validation.metric: got 'ndcg', expected log_loss or auc: the"),
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


def test_a_run_starts_from_another(
    tmp_path: Path, data: Path, hotrow: Hotrow, write_dataset: WriteDataset
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert hotrow("train", data, "--out", old, *QUICK, "--set", "dense.kind=sgd")[0] == 0
    grown = write_dataset(tmp_path / "grown", schema=small_schema(rows=(44, 12, 60, 5)), seed=2)
    status, out, _ = hotrow("train", grown, "--out", new, "--from", old, "--epochs", 2)
    assert status == 0
    assert "ids kept, new, gone" in out
    assert "109, 4, 0" in out
    stored = _json((new / "result.json").read_text())["started_from"]
    assert (stored["run"], stored["ids"]["C1"]) == (str(old), {"kept": 38, "new": 4, "gone": 0})
    config = _json((new / "config.json").read_text())["train"]
    assert (config["dense"]["kind"], config["batch_size"], config["epochs"]) == ("sgd", 64, 2)
    for words, message in [
        (("--from", old, "--resume"), "--from: got"),
        (("--from", old, "--model", "dlrm"), "--model: got 'dlrm', expected dlrm-small, with which"),
        (("--from", tmp_path / "none"), "none/config.json: not found, expected a run"),
        (("--from", old, "--set", "model.top=8,1"), "model.top: got"),
    ]:
        target = new if "--resume" in words else tmp_path / "other"
        status, out, err = hotrow("train", grown, "--out", target, *words)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert message in err


def test_an_area_that_is_undefined_is_said(
    tmp_path: Path, hotrow: Hotrow, write_dataset: WriteDataset
) -> None:
    data = write_dataset(tmp_path / "one", splits={"train": (300,), "valid": (1,), "test": (100,)})
    status, out, err = hotrow("train", data, "--out", tmp_path / "run", *QUICK)
    assert status == 0
    assert re.search(r"validation AUC +undefined: [01] of 1 rows are positive", out)
    assert re.search(r"validation NE +undefined\n", out)
    assert "AUC and normalised entropy are undefined" in err
    status, out, _ = hotrow("evaluate", tmp_path / "run", "--split", "valid")
    assert (status, "nan" in out.lower(), "None" in out) == (0, False, False)
    assert re.search(r"auc +undefined\n", out)


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
