from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.data.choices import ITEMS, choices, write_choices

from hotrow.data.loader import Loader
from hotrow.errors import DataError


def read_all(folder: Path, **altered: tuple[int, float]) -> None:
    """Write a data set with some values altered, each at a place of its flat column, and read it."""
    block = choices()
    assert block.labels is not None
    flat = {"ids": block.ids, "labels": block.labels, "history": block.lists[0].ids}
    for name, (place, value) in altered.items():
        flat[name].reshape(-1)[place] = value
    loader = Loader(write_choices(folder, block), "train")
    with loader.epoch() as batches:
        assert sum(len(batch) for batch in batches) == len(block.ids)


def a_place_in_history() -> int:
    history = choices().lists[0]
    return int(history.starts[np.flatnonzero(history.lengths)[0]])


def test_intact_rows_are_read(tmp_path: Path) -> None:
    read_all(tmp_path / "d", ids=(2, ITEMS - 1), history=(a_place_in_history(), 0), labels=(3, 0))


@pytest.mark.parametrize("found", [ITEMS, -1, 2**31 - 1, -(2**31)])
def test_ids_outside_their_table(tmp_path: Path, found: int) -> None:
    with pytest.raises(DataError, match=rf"train, column item: holds id {found}, its table has 30 rows"):
        read_all(tmp_path / "ids", ids=(3 * 5 + 2, found))
    with pytest.raises(DataError, match=rf"train, column history: holds id {found}, its table has 30 rows"):
        read_all(tmp_path / "lists", history=(a_place_in_history(), found))


@pytest.mark.parametrize("found", [0.5, -1.0, 2.0, float("nan"), float("inf")])
def test_labels_that_are_none(tmp_path: Path, found: float) -> None:
    with pytest.raises(DataError, match=rf"train: holds the label {found}, expected 0 or 1; it was altered"):
        read_all(tmp_path / "d", labels=(7, found))
