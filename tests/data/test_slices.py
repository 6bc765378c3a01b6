from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.data.lists import encoded_lists, values_of

from hotrow.data._slices import flat_indices, join_runs
from hotrow.data.raw import EncodedList


@given(st.data(), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.booleans())
def test_runs_are_joined_as_lists_would_be(data: st.DataObject, sizes: list[int], weighted: bool) -> None:
    runs = [data.draw(encoded_lists(size, weighted=weighted)) for size in sizes]
    joined = join_runs(runs)
    assert values_of(joined) == [row for run in runs for row in values_of(run)]
    assert len(joined.ids) <= sum(int(run.lengths.sum()) for run in runs)
    assert (joined.weights is not None) == weighted


def histories(ids: NDArray[np.int32], first: int, count: int) -> EncodedList:
    """Return rows that hold one id more each, from the same first one on."""
    return EncodedList(ids, np.full(count, first), np.arange(1, count + 1))


def test_overlapping_slices_stay_overlapping() -> None:
    ids = np.arange(1000, dtype=np.int32)
    joined = join_runs([histories(ids, 7, 20), histories(ids, 17, 20), histories(ids + 1, 7, 30)])
    assert len(joined.ids) == 30 + 30  # of 20 * 21 / 2 * 2 + 30 * 31 / 2 in all rows
    far = join_runs([histories(ids, 7, 20), histories(ids, 900, 20)])
    assert len(far.ids) == 20 + 20


@given(st.data(), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6))
def test_runs_of_the_same_array_are_joined_as_lists_would_be(
    data: st.DataObject, sizes: list[tuple[int, int]]
) -> None:
    """Runs of a few shards in any order, as the blocks of a window are."""
    shards = [data.draw(encoded_lists(4, weighted=True)) for _ in range(4)]
    runs = [shards[shard].take(slice(0, count)) for shard, count in sizes]
    joined = join_runs(runs)
    assert values_of(joined) == [row for run in runs for row in values_of(run)]
    assert len(joined.ids) <= sum(int(run.lengths.sum()) for run in runs)


@given(st.data(), st.integers(0, 6))
def test_rows_are_picked_and_flattened(data: st.DataObject, size: int) -> None:
    rows = data.draw(encoded_lists(size))
    picked = np.array(data.draw(st.lists(st.integers(0, size - 1)) if size else st.just([])), dtype=np.int64)
    some = rows.take(picked)
    assert values_of(some) == [values_of(rows)[at] for at in picked.tolist()]
    flat = rows.ids[flat_indices(some.starts, some.lengths)].tolist()
    assert flat == [value for row in values_of(some) for value, _ in row]
