from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tests.data.lists import list_schema

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.train.pieces import pieces
from hotrow.types import Batch

WriteDataset = Callable[..., Path]


def rows_of(batch: Batch) -> list[tuple[object, ...]]:
    """Return every row with all its columns and its lists of (id, weight)."""
    assert batch.labels is not None
    assert batch.groups is not None
    assert batch.lists is not None
    assert batch.lists.weights is not None
    pairs = list(zip(batch.lists.ids.tolist(), batch.lists.weights.tolist(), strict=True))
    bags = [tuple(pairs[start:end]) for start, end in pairwise(batch.lists.offsets.tolist())]
    columns = (batch.dense, batch.ids, batch.labels, batch.groups)
    return [
        (*(str(column[row].tolist()) for column in columns), *bags[row :: len(batch)])
        for row in range(len(batch))
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_they_are_the_batch(tmp_path: Path, write_dataset: WriteDataset, count: int) -> None:
    dataset = Dataset.open(write_dataset(tmp_path / "d", schema=list_schema(weighted=(False, True, False))))
    with Loader(dataset, "train", LoaderConfig(batch_size=20)).epoch() as batches:
        batch = next(batches)
    found = list(pieces(batch, count))
    assert len(found) == min(count, 20)
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert [row for piece in found for row in rows_of(piece)] == rows_of(batch)


def test_what_a_batch_does_not_have_its_pieces_have_not() -> None:
    batch = Batch(dense=torch.zeros(3, 2), ids=torch.zeros(3, 1, dtype=torch.int32))
    for piece in pieces(batch, 2):
        assert (piece.labels, piece.lists, piece.groups) == (None, None, None)
    assert list(pieces(Batch(dense=torch.zeros(0, 2), ids=torch.zeros(0, 1, dtype=torch.int32)), 2)) == []
