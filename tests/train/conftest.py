from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

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
def one_thread() -> Iterator[None]:
    """Keep tiny matrix products from waiting for each other when tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def dataset(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    """800 training rows, 150 for validation, 150 for the test."""
    return Dataset.open(write_dataset(tmp_path / "data"))


@pytest.fixture
def recipe(dataset: Dataset) -> Recipe:
    return make_recipe("dlrm-small", dataset.schema.inputs(), settings=SETTINGS)
