from __future__ import annotations

import numpy as np
import pytest
from tests.conftest import random_rows

from hotrow.data.gather import RowGather
from hotrow.data.raw import EncodedBlock
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema

SCHEMA = Schema(
    format="criteo",
    label="label",
    dense=(DenseFeature(name="I1"), DenseFeature(name="I2")),
    categorical=(CategoricalFeature(name="C1", rows=9),),
    lists=(
        ListFeature(name="plain", kind="sequence", rows=30),
        ListFeature(name="heavy", kind="bag", rows=7, weighted=True),
    ),
)


def row_of(block: EncodedBlock, row: int) -> list[list[float]]:
    """Return all that a row has."""
    found = [block.dense[row].tolist(), block.ids[row].tolist()]
    for listed in block.lists:
        here = slice(listed.starts[row], listed.starts[row] + listed.lengths[row])
        found.append(listed.ids[here].tolist())
        found.append([] if listed.weights is None else listed.weights[here].tolist())
    return found


@pytest.mark.parametrize("sizes", [(50,), (20, 1, 29)])
def test_rows_are_those_asked_for(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    shards = [random_rows(SCHEMA, size, rng) for size in sizes]
    expected = [row_of(shard, row) for shard, size in zip(shards, sizes, strict=True) for row in range(size)]
    gather = RowGather(shards)
    assert gather.rows == 50
    rows = np.array([0, 3, 3, 19, 20, 21, 49])
    taken = gather.take(rows)
    assert [row_of(taken, at) for at in range(len(rows))] == [expected[row] for row in rows]
    assert taken.dense.dtype == np.float32
    assert taken.ids.dtype == np.int32
    for listed in taken.lists:
        assert len(listed.ids) == listed.lengths.sum()  # nothing of other rows


def test_one_shard_takes_any_order() -> None:
    shard = random_rows(SCHEMA, 10, np.random.default_rng(1))
    taken = RowGather([shard]).take(np.array([7, 2]))
    assert [row_of(taken, 0), row_of(taken, 1)] == [row_of(shard, 7), row_of(shard, 2)]
