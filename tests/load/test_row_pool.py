from __future__ import annotations

import numpy as np
import pytest
from tests.data.test_gather import row_of

from hotrow.data.gather import packed_list
from hotrow.data.raw import EncodedBlock
from hotrow.load.row_pool import POOL_ROWS, RowPool, rows_that_fit


def block(rows: int, seed: int = 0) -> EncodedBlock:
    """Return rows with two lists, the second of them weighted; some lists are empty."""
    rng = np.random.default_rng(seed)
    lists = []
    for is_weighted in (False, True):
        lengths = rng.integers(0, 4, rows)
        ids = rng.integers(0, 99, lengths.sum()).astype(np.int32)
        weights = rng.random(len(ids), dtype=np.float32) if is_weighted else None
        lists.append(packed_list(ids, lengths, weights))
    ids = rng.integers(0, 9, (rows, 3)).astype(np.int32)
    return EncodedBlock(rng.random((rows, 2), dtype=np.float32), ids, None, tuple(lists))


@pytest.mark.parametrize(("start", "rows"), [(0, 1), (0, 20), (19, 1), (7, 9), (15, 9), (3, 45), (0, 0)])
def test_a_window_has_the_rows_of_the_pool(start: int, rows: int) -> None:
    whole = block(20)
    window = RowPool(block(20)).window(start, rows)
    expected = [row_of(whole, row % 20) for row in range(start, start + rows)]
    assert [row_of(window, row) for row in range(rows)] == expected
    for part in window.lists:  # one after another, and nothing else: so it can be sent as it is
        ends = np.cumsum(part.lengths)
        np.testing.assert_array_equal(part.starts, ends - part.lengths)
        assert len(part.ids) == part.lengths.sum()


def test_windows_are_views_that_cannot_be_written_to() -> None:
    pool = RowPool(block(20))
    one, other = pool.window(3, 9), pool.window(5, 2)
    for left, right in (
        (one.dense, other.dense),
        (one.ids, other.ids),
        (one.lists[1].ids, other.lists[1].ids),
        (one.lists[1].weights, other.lists[1].weights),
    ):
        assert left is not None
        assert right is not None
        assert np.shares_memory(left, right)
        with pytest.raises(ValueError, match="read-only"):
            left[:1] = 0


def test_places_are_random_and_all_of_them_are_used() -> None:
    pool, rng = RowPool(block(20)), np.random.default_rng(0)
    first = {tuple(pool.pick(rng, 17).dense[0].tolist()) for _ in range(200)}
    assert first == {tuple(pool.window(start, 1).dense[0].tolist()) for start in range(4)}
    assert len(pool.pick(rng, 50)) == 50


def test_a_pool_is_bounded() -> None:
    assert rows_that_fit(1000, 10_000) == 10
    assert rows_that_fit(1e9, 10_000) == 1
    assert rows_that_fit(0) == POOL_ROWS
