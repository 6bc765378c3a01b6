"""Runs in bf16: near those in fp32, resumed to the same bits, of every model."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.train.heads import history_schema
from tests.train.runs import StopAt

from hotrow.data.dataset import Dataset
from hotrow.layers.inference import half
from hotrow.train import Recipe, RunFolder, change, make_recipe, train_model

WriteDataset = Callable[..., Path]


@pytest.fixture
def dataset(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    return Dataset.open(write_dataset(tmp_path / "data"))


@pytest.fixture
def recipe(dataset: Dataset) -> Recipe:
    return change(make_recipe("dlrm-small", dataset.schema.inputs()), {"batch_size": "64", "epochs": "2"})


def _tables(run: Path) -> bytes:
    return (run / "model" / "tables.safetensors").read_bytes()


def test_it_is_near_fp32(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    exact = train_model(dataset, recipe, tmp_path / "fp32")
    rounded = train_model(dataset, change(recipe, {"precision": "bf16"}), tmp_path / "bf16")
    assert exact.test is not None
    assert rounded.test is not None
    assert rounded.test.log_loss == pytest.approx(exact.test.log_loss, rel=0.02)
    assert _tables(tmp_path / "fp32") != _tables(tmp_path / "bf16")
    assert RunFolder(tmp_path / "bf16").read_recipe().train.precision == "bf16"


def test_a_stopped_run_resumes_to_the_same_bits(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    recipe = change(recipe, {"precision": "bf16"})
    train_model(dataset, recipe, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="stop"):
        train_model(dataset, recipe, tmp_path / "cut", listener=StopAt(14, RuntimeError("stop")))
    train_model(dataset, recipe, tmp_path / "cut", resume=True)
    assert _tables(tmp_path / "whole") == _tables(tmp_path / "cut")


@pytest.mark.parametrize(
    "preset",
    [
        "dcnv2-small",
        "wide-deep-small",
        "deepfm-small",
        "esmm-small",
        "din-small",
        "dien-small",
        "wukong-small",
    ],
)
def test_every_model_trains_near_fp32(tmp_path: Path, write_dataset: WriteDataset, preset: str) -> None:
    data = Dataset.open(write_dataset(tmp_path / "users", schema=history_schema()))
    recipe = make_recipe(preset, data.schema.inputs(), settings={"batch_size": "200"})
    exact = train_model(data, recipe, tmp_path / "fp32").test
    rounded = train_model(data, change(recipe, {"precision": "bf16"}), tmp_path / "bf16").test
    assert exact is not None
    assert rounded is not None
    assert rounded.log_loss == pytest.approx(exact.log_loss, rel=0.02)


def test_a_processor_without_it_is_told(
    tmp_path: Path,
    dataset: Dataset,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(half, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING):
        train_model(dataset, change(recipe, {"precision": "bf16"}), tmp_path / "run")
    assert "this processor has no bf16 products" in caplog.text
