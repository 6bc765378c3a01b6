"""``hotrow shrink``, and the commands that take its result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.responding import respond

from hotrow.artifact import load_artifact
from hotrow.cli import _frame
from hotrow.cli.main import app
from hotrow.data.dataset import Dataset
from hotrow.data.schema import Schema
from hotrow.serving import Limits, RankingService
from hotrow.serving.engine.messages import Body
from hotrow.shrink import ShrinkReport, shrink_run
from hotrow.train import make_recipe, train_model

pytestmark = pytest.mark.usefixtures("one_thread")

WriteDataset = Callable[..., Path]
FIELDS = {"bytes_before", "bytes_after", "auc_before", "auc_after", "kept", "tables", "rows", "split", "run"}


def hotrow(*words: object) -> int:
    return _frame.run(lambda: app([str(word) for word in words], standalone_mode=False))


@pytest.fixture
def run(tmp_path: Path, write_dataset: WriteDataset, criteo_columns: Schema) -> Path:
    """A run on rows with all Criteo columns, so that raw rows can be ranked."""
    splits = {"train": (640,), "valid": (300,), "test": (300,)}
    data = Dataset.open(write_dataset(tmp_path / "data", schema=criteo_columns, splits=splits))
    train_model(data, make_recipe("dlrm-small", data.schema.inputs()), tmp_path / "run")
    return tmp_path / "run"


def test_one_json_object(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = tmp_path / "small"
    assert hotrow("shrink", run, "--out", small, "--bits", 8, "--json") == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result.keys() >= FIELDS
    assert result["bytes_before"] > result["bytes_after"] > 0
    assert (result["run"], result["split"], result["rows"]) == (str(small), "test", 300)
    assert {entry["format"] for entry in result["tables"]} == {"int8"}
    assert result == json.loads((small / "shrink.json").read_text())


def test_the_result_is_evaluated_ranked_served_and_reported_like_any_run(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    criteo_rows: Callable[..., list[str]],
) -> None:
    small = tmp_path / "small"
    words = ("shrink", run, "--out", small, "--bits", "auto", "--max-auc-loss", 1)
    assert hotrow(*words, "--json") == 0
    shrunk = json.loads(capsys.readouterr().out)
    assert hotrow("evaluate", small, "--json") == 0
    assert json.loads(capsys.readouterr().out)["auc"] == shrunk["auc_after"]
    assert hotrow("report", small, "--out", tmp_path / "r.html", "--json") == 0
    capsys.readouterr()

    log = tmp_path / "raw.txt"
    log.write_text("".join(line + "\n" for line in criteo_rows(12)))
    assert hotrow("rank", small, log, "--json") == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert hotrow("rank", run, log, "--json") == 0
    np.testing.assert_allclose(scores, json.loads(capsys.readouterr().out)["scores"], atol=0.2)
    artifact = load_artifact(small)
    service = RankingService(artifact.name, artifact, Limits())
    service.warm_up()
    candidates: list[dict[str, Any]] = [{"I1": 3, "C1": "0000000a"}, {"C2": "7"}, {}]
    body = json.dumps({"candidates": candidates}).encode()
    ranking: list[dict[str, Any]] = respond(service, body, Body.RANK)["ranking"]
    found = {entry["index"]: entry["score"] for entry in ranking}
    np.testing.assert_allclose([found[i] for i in range(3)], artifact.score(artifact.block(candidates)))


def test_text_for_people(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("shrink", run, "--out", tmp_path / "small", "--bits", 4, "--max-auc-loss", 1) == 0
    printed = capsys.readouterr()
    assert "26 int4" in printed.out
    assert "KiB -> " in printed.out
    assert "warning" not in printed.err


def test_a_broken_promise_is_a_warning(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **options: Any) -> ShrinkReport:
        report = shrink_run(*args, **options)
        return replace(report, kept=False, test=replace(report.test, kept=False))

    monkeypatch.setattr("hotrow.shrink.shrink_run", broken)
    words = ("shrink", run, "--out", tmp_path / "small", "--bits", 2, "--max-auc-loss", 0.25, "--json")
    assert hotrow(*words) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["kept"] is False
    assert printed.err.startswith("warning: the AUC on the test split fell by ")
    assert "more than --max-auc-loss 0.25" in printed.err


MISTAKES = {
    "no model": (("NONE", "--out", "OUT"), "none/model/model.json: not found, expected a model written by"),
    "bits": (("RUN", "--out", "OUT", "--bits", 3), "bits: got '3', expected 8 or 4 or 2 or auto"),
    "loss": (("RUN", "--out", "OUT", "--max-auc-loss", -1), "max_auc_loss: got -1.0, expected a number"),
    "data set": (
        ("RUN", "--out", "OUT", "--dataset", "NONE"),
        "none/schema.json: not found, expected a prep",
    ),
    "itself": (("RUN", "--out", "RUN", "--overwrite"), "expected a folder apart from"),
    "exists": (("RUN", "--out", "RUN2"), "small: already exists; choose another folder or pass --overwrite"),
    "twice": (("RUN2", "--out", "OUT"), "table C1 is int2 already"),
    "no out": (("RUN",), "Missing option '--out'"),
}


def test_mistakes_are_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = {"RUN": run, "RUN2": tmp_path / "small", "OUT": tmp_path / "out", "NONE": tmp_path / "none"}
    assert hotrow("shrink", run, "--out", places["RUN2"], "--bits", 2) == 0
    capsys.readouterr()
    for words, message in MISTAKES.values():
        status = hotrow("shrink", *(places.get(str(word), word) for word in words))
        printed = capsys.readouterr()
        assert (status, printed.out) == (2, ""), message
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        assert message in printed.err
        assert not places["OUT"].exists()


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("shrink", "--help") == 0
    assert "hotrow shrink runs/a --out runs/a-small" in capsys.readouterr().out
