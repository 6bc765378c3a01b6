from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hotrow.data.dataset import Dataset
from hotrow.train import Recipe, make_recipe

WriteDataset = Callable[..., Path]

SETTINGS = {
    "batch_size": "64",
    "epochs": "2",
    "log_every": "4",
    "validation.per_epoch": "3",
    "checkpoints.per_epoch": "3",
}
"""13 steps an epoch on the small data set, the last of them on 32 rows."""


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """Every test here trains something small."""


@pytest.fixture
def dataset(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    """800 training rows, 150 for validation, 150 for the test."""
    return Dataset.open(write_dataset(tmp_path / "data"))


@pytest.fixture
def recipe(dataset: Dataset) -> Recipe:
    return make_recipe("dlrm-small", dataset.schema.inputs(), settings=SETTINGS)
