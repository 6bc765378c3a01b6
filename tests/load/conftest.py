"""A data set with Criteo's columns, and a log of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import WriteDataset

from hotrow.data.schema import Schema


@pytest.fixture
def criteo_data(tmp_path: Path, write_dataset: WriteDataset, criteo_columns: Schema) -> Path:
    """Return a prepared data set with all Criteo columns; its test split has two shards, 400 rows."""
    splits = {"train": (50,), "valid": (0,), "test": (300, 100)}
    return write_dataset(tmp_path / "data", schema=criteo_columns, splits=splits)


@pytest.fixture
def criteo_log(tmp_path: Path, criteo_rows: Callable[..., list[str]]) -> Path:
    """Return a log of 50 rows with labels."""
    path = tmp_path / "log.tsv"
    path.write_text("".join(f"{line}\n" for line in criteo_rows(50, labelled=True)))
    return path
