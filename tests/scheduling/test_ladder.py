from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.ladder import batch_ladder, nearest, threshold_ladder


def test_rungs_are_powers_of_two_midpoints_and_the_largest() -> None:
    assert batch_ladder(100) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 100]
    assert batch_ladder(1) == [1]
    assert batch_ladder(64)[-2:] == [48, 64]


@given(st.integers(1, 100_000))
def test_rungs_rise_by_at_most_two(largest: int) -> None:
    ladder = batch_ladder(largest)
    assert ladder[0] == 1
    assert ladder[-1] == largest
    assert all(before < after <= 2 * before for before, after in pairwise(ladder))


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=50))
def test_thresholds_send_different_queries_from_all_to_none(sizes: list[int]) -> None:
    ladder = threshold_ladder(sizes)
    assert ladder[-1] is None
    sent = [sum(size >= rung for size in sizes) for rung in ladder if rung is not None]
    assert sent[0] == len(sizes)
    assert sent == sorted(set(sent), reverse=True)
    assert sent[-1] == sizes.count(max(sizes))


def test_the_nearest_is_so_by_ratio() -> None:
    assert nearest([1, 10, 100], 25) == 1
    assert nearest([1, 10, 100], 40) == 2


def test_ladders_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least"):
        batch_ladder(0)
    with pytest.raises(ValueError, match="no sizes"):
        threshold_ladder([])
