from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.data.lists import encoded_lists, values_of

from hotrow.data._slices import flat_indices, join_runs, take_rows
from hotrow.data.raw import EncodedList


@given(st.data(), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.booleans())
def test_runs_are_joined_as_lists_would_be(data: st.DataObject, sizes: list[int], weighted: bool) -> None:
    runs = [data.draw(encoded_lists(size, weighted=weighted)) for size in sizes]
    joined = join_runs(runs)
    assert values_of(joined) == [row for run in runs for row in values_of(run)]
    assert len(joined.ids) <= sum(int(run.lengths.sum()) for run in runs)
    assert (joined.weights is not None) == weighted


@given(st.integers(1, 30))
def test_overlapping_slices_stay_overlapping(count: int) -> None:
    history = EncodedList(np.arange(count + 9, dtype=np.int32), np.full(count, 7), np.arange(1, count + 1))
    assert len(join_runs([history, history]).ids) == 2 * count


@given(st.data(), st.integers(0, 6))
def test_rows_are_picked_and_flattened(data: st.DataObject, size: int) -> None:
    rows = data.draw(encoded_lists(size))
    picked = np.array(data.draw(st.lists(st.integers(0, size - 1)) if size else st.just([])), dtype=np.int64)
    some = take_rows(rows, picked)
    assert values_of(some) == [values_of(rows)[at] for at in picked.tolist()]
    flat = rows.ids[flat_indices(some.starts, some.lengths)].tolist()
    assert flat == [value for row in values_of(some) for value, _ in row]
