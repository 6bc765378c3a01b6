"""Runs of models with histories, several tasks and auxiliary losses: cut short, resumed, evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.train.heads import LABELS, history_schema
from tests.train.runs import PressAt, metrics_lines

from hotrow.data.dataset import Dataset
from hotrow.train import RunFolder, make_recipe, train_model

WriteDataset = Callable[..., Path]
SETTINGS = {
    "batch_size": "64",
    "epochs": "2",
    "log_every": "4",
    "validation.metric": "ndcg",
    "validation.at": "3",
}
PRESETS = ("din-small", "dien-small", "esmm-small", "mt-wide-deep-small")


@pytest.fixture
def histories(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    return Dataset.open(write_dataset(tmp_path / "data", schema=history_schema()))


@pytest.mark.parametrize("preset", PRESETS)
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path, histories: Dataset, preset: str) -> None:
    recipe = make_recipe(preset, histories.schema.inputs(), settings=SETTINGS)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    report = train_model(histories, recipe, whole)
    with pytest.raises(KeyboardInterrupt):
        train_model(histories, recipe, cut, listener=PressAt(6))
    train_model(histories, recipe, cut, resume=True)
    for name in ("tables", "dense"):
        file = f"model/{name}.safetensors"
        assert (whole / file).read_bytes() == (cut / file).read_bytes()
    assert metrics_lines(whole) == metrics_lines(cut)
    assert RunFolder(whole).read_report() == report
    assert report.validation is not None
    assert report.validation.ranking is not None
    assert "ndcg@3" in report.validation.ranking
    train = [line for line in metrics_lines(whole) if line["kind"] == "train"]
    tasks = list(recipe.model.tasks)
    assert all(list(line["tasks"]) == (tasks if len(tasks) > 1 else []) for line in train)
    assert all((line["aux_loss"] is not None) == (preset == "dien-small") for line in train)


def test_a_single_task_model_learns_the_label_it_is_told_to(tmp_path: Path, histories: Dataset) -> None:
    for label in LABELS:
        settings = SETTINGS | {"model.tasks": label}
        recipe = make_recipe("din-small", histories.schema.inputs(), settings=settings)
        report = train_model(histories, recipe, tmp_path / label)
        assert report.test is not None
        assert report.test.tasks == {}
    positives = [
        json.loads((tmp_path / label / "result.json").read_text())["test"]["positives"] for label in LABELS
    ]
    assert positives[0] != positives[1]
