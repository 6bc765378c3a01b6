"""Shrinking models that have list features, tables of a linear part and several tasks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hotrow.artifact import load_artifact
from hotrow.data.dataset import Dataset
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.shrink import ShrinkConfig, shrink_run
from hotrow.shrink.config import Bits
from hotrow.train import evaluate_run, make_recipe, train_model

WriteDataset = Callable[..., Path]

SCHEMA = Schema(
    format="movielens",
    label="click",
    more_labels=("buy",),
    dense=(DenseFeature(name="age"),),
    categorical=tuple(
        CategoricalFeature(name=name, rows=size, key_type="integer")
        for name, size in (("user", 30), ("item", 50))
    ),
    lists=(
        ListFeature(name="history", kind="sequence", rows=50, of="item"),
        ListFeature(name="tags", kind="bag", rows=12),
    ),
    group="user",
)
SETTINGS = {"batch_size": "128", "epochs": "2", "tables.lr": "0.3"}
PRESETS = ("deepfm-small", "dien-small", "din-small", "esmm-small", "mt-wide-deep-small", "wide-deep-small")


@pytest.fixture
def dataset(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    splits = {"train": (900,), "valid": (400,), "test": (500,)}
    return Dataset.open(write_dataset(tmp_path / "data", schema=SCHEMA, splits=splits))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("bits", ["4", "auto"])
def test_every_kind_of_model(tmp_path: Path, dataset: Dataset, preset: str, bits: Bits) -> None:
    run, small = tmp_path / "run", tmp_path / "small"
    recipe = make_recipe(preset, dataset.schema.inputs(), settings=SETTINGS)
    train_model(dataset, recipe, run)
    report = shrink_run(run, small, ShrinkConfig(bits=bits, max_auc_loss=0.5))
    assert report.table_bytes_after < report.table_bytes_before
    after, before = evaluate_run(small), evaluate_run(run)
    assert (report.test.before, report.test.after) == (before, after)
    assert report.auc_before == before.auc
    assert list(after.tasks) == (list(recipe.model.tasks) if len(recipe.model.tasks) > 1 else [])
    assert after.ranking is not None
    stored = json.loads((small / "shrink.json").read_text())
    assert stored["test"]["after"]["ranking"]["gauc"] == after.ranking["gauc"]
    shrunk = {table.name: table.format for table in load_artifact(small).config.tables}
    assert {table.name for table in recipe.model.tables} == shrunk.keys()
    assert all(form == "fp32" for name, form in shrunk.items() if name.startswith("linear."))


def test_the_first_task_is_judged(tmp_path: Path, dataset: Dataset) -> None:
    recipe = make_recipe("mt-wide-deep-small", dataset.schema.inputs(), settings=SETTINGS)
    recipe = replace(recipe, model=replace(recipe.model, tasks=("buy", "click")))
    train_model(dataset, recipe, tmp_path / "run")
    report = shrink_run(tmp_path / "run", tmp_path / "small", ShrinkConfig(bits="8"))
    assert report.auc_before == report.test.before.tasks["buy"].auc


def test_corrected_probabilities_stay_corrected(tmp_path: Path, dataset: Dataset) -> None:
    run, small = tmp_path / "run", tmp_path / "small"
    settings = SETTINGS | {"label_weights.positive": "5"}
    train_model(dataset, make_recipe("dlrm-small", dataset.schema.inputs(), settings=settings), run)
    report = shrink_run(run, small, ShrinkConfig(bits="8", max_auc_loss=0.5))
    assert load_artifact(small).correction == load_artifact(run).correction
    assert load_artifact(small).correction.odds == (0.2,)
    after = evaluate_run(small)
    assert report.test.after == after
    assert after.calibration == pytest.approx(evaluate_run(run).calibration, rel=0.02)
