"""A small trained run to shrink."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hotrow.data.dataset import Dataset
from hotrow.train import make_recipe, train_model

WriteDataset = Callable[..., Path]


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """Every test here trains or judges something small."""


@pytest.fixture
def dataset(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    """2000 training rows, 900 for validation, 1100 for the test, in several shards."""
    splits = {"train": (1200, 800), "valid": (500, 400), "test": (1100,)}
    return Dataset.open(write_dataset(tmp_path / "data", splits=splits))


@pytest.fixture
def run(tmp_path: Path, dataset: Dataset) -> Path:
    settings = {"batch_size": "64", "epochs": "2", "log_every": "8", "tables.lr": "0.3"}
    recipe = make_recipe("dlrm-small", dataset.schema.inputs(), settings=settings)
    train_model(dataset, recipe, tmp_path / "run", command=["hotrow", "train"])
    return tmp_path / "run"
