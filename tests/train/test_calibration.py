"""Models that saw other odds than the data's tell the data's probabilities, wherever they are asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.train.heads import user_schema
from tests.train.runs import PressAt, metrics_lines

from hotrow.artifact import load_artifact
from hotrow.data.dataset import Dataset
from hotrow.errors import ConfigError
from hotrow.train import RunFolder, evaluate_run, make_recipe, train_model

WriteDataset = Callable[..., Path]
SETTINGS = {
    **{"batch_size": "128", "epochs": "2", "dense.lr": "0.005", "tables.lr": "0.02", "log_every": "9"},
    **{"validation.per_epoch": "1", "checkpoints.per_epoch": "1"},
}
SKEWED = [
    {"sampling.keep_negatives": "0.2"},
    {"label_weights.positive": "6"},
    {"label_weights.positive": "3", "label_weights.negative": "2", "sampling.keep_negatives": "0.3"},
]


@pytest.fixture
def data(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    sizes = {"train": (6000, 3000), "valid": (3000,), "test": (3000,)}
    return Dataset.open(write_dataset(tmp_path / "many", splits=sizes))


@pytest.mark.parametrize("settings", SKEWED)
def test_probabilities_are_the_datas(tmp_path: Path, data: Dataset, settings: dict[str, str]) -> None:
    recipe = make_recipe("dlrm-small", data.schema.inputs(), settings=SETTINGS | settings)
    report = train_model(data, recipe, tmp_path / "run")
    (odds,) = report.corrected_odds
    assert odds < 0.5
    artifact = load_artifact(tmp_path / "run")
    assert artifact.correction.odds == (odds,)
    found = evaluate_run(tmp_path / "run", data)
    assert found.calibration == pytest.approx(1, abs=0.12)
    assert report.test is not None
    assert report.test.log_loss == pytest.approx(found.log_loss, rel=1e-6)
    last = [line for line in metrics_lines(tmp_path / "run") if line["kind"] == "validation"][-1]
    assert last["validation"]["calibration"] == pytest.approx(1, abs=0.12)
    (shard,) = data.shards("test")
    block = replace(shard, dense=shard.dense.copy(), ids=shard.ids.copy())
    assert block.labels is not None
    ranked = artifact.score_encoded(block)[:, 0].astype(np.float64)
    assert ranked.mean() / block.labels.mean() == pytest.approx(found.calibration, rel=1e-5)
    learnt = ranked / (ranked + (1 - ranked) * odds)  # the correction undone
    assert learnt.mean() > 1.3 * ranked.mean()


def test_fewer_rows_are_fewer_steps_and_a_resume_has_the_same(tmp_path: Path, data: Dataset) -> None:
    settings = SETTINGS | {"sampling.keep_negatives": "0.2", "epochs": "1"}
    recipe = make_recipe("dlrm-small", data.schema.inputs(), settings=settings)
    report = train_model(data, recipe, tmp_path / "whole")
    assert report.samples < 0.7 * data.rows("train")
    with pytest.raises(KeyboardInterrupt):
        train_model(data, recipe, tmp_path / "cut", listener=PressAt(7))
    train_model(data, recipe, tmp_path / "cut", resume=True)
    for name in ("tables.safetensors", "dense.safetensors", "model.json"):
        whole, cut = (tmp_path / run / "model" / name for run in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes(), name
    assert metrics_lines(tmp_path / "whole") == metrics_lines(tmp_path / "cut")
    assert json.loads((tmp_path / "cut" / "model" / "model.json").read_text())["correction"]["odds"]


def test_several_tasks_have_no_common_negatives(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data = Dataset.open(write_dataset(tmp_path / "users", schema=user_schema()))
    settings = {"sampling.keep_negatives": "0.5"}
    recipe = make_recipe("esmm-small", data.schema.inputs(), settings=settings)
    with pytest.raises(
        ConfigError, match=r"keep_negatives: got 0.5, expected 1: what is a negative of click"
    ):
        train_model(data, recipe, tmp_path / "run")
    assert not RunFolder(tmp_path / "run").path.exists()
    settings |= {"model.tasks": "buy", "label_weights.positive": "2"}
    recipe = make_recipe("dlrm-small", data.schema.inputs(), settings=settings)
    (odds,) = train_model(data, recipe, tmp_path / "run").corrected_odds
    assert odds == pytest.approx(0.25, abs=0.05)


def test_every_task_is_corrected_by_its_own_weights(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data = Dataset.open(write_dataset(tmp_path / "users", schema=user_schema()))
    settings = {"label_weights.positive": "1,8", "batch_size": "64", "epochs": "4", "dense.lr": "0.01"}
    recipe = make_recipe("mt-wide-deep-small", data.schema.inputs(), settings=settings)
    report = train_model(data, recipe, tmp_path / "run")
    assert report.corrected_odds == (1.0, 0.125)
    assert report.test is not None
    assert report.test.tasks["buy"].calibration == pytest.approx(1, abs=0.3)
