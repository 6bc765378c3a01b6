"""Runs of equal values."""

from __future__ import annotations

import numpy as np

from hotrow.data.formats._runs import places_from_end, run_lengths, run_starts

USERS = np.array([3, 3, 3, 5, 7, 7])


def test_places_within_runs() -> None:
    assert run_starts(USERS).tolist() == [0, 0, 0, 3, 4, 4]
    assert places_from_end(USERS).tolist() == [2, 1, 0, 0, 1, 0]
    assert run_lengths(USERS).tolist() == [3, 3, 3, 1, 2, 2]


def test_no_values_have_no_runs() -> None:
    for places in (run_starts, places_from_end, run_lengths):
        assert places(USERS[:0]).tolist() == []
