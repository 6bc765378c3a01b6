"""Counts of ids in bounded memory."""

from __future__ import annotations

import numpy as np

from hotrow.synth.counts import IdCounts
from hotrow.synth.criteo_tables import IDS, INTEGERS
from hotrow.synth.rows import CHUNK_ROWS, RowChunk


def chunk(ranks: np.ndarray) -> RowChunk:
    """Return rows in which every feature has the ranks."""
    rows = np.array([law.rows for law in IDS.values()], dtype=np.int32)
    levels = np.zeros((len(INTEGERS), ranks.size), dtype=np.int32)
    return RowChunk(levels, np.minimum(ranks.astype(np.int32), rows[:, None]), np.zeros(ranks.size))


def test_rare_means_fewer_than_the_minimum() -> None:
    counts = IdCounts()
    counts.add(chunk(np.repeat([0, 1, 2], [20, 19, 1])))
    rare = counts.rarer_than(20, chunk(np.array([0, 1, 2, 3])))
    assert rare.shape == (len(IDS), 4)
    assert rare.tolist() == [[False, True, True, True]] * len(IDS)


def test_missing_is_counted_like_an_id() -> None:
    counts = IdCounts()
    missing = chunk(np.full(25, 99_999_999))
    counts.add(missing)
    assert not counts.rarer_than(20, missing).any()
    assert counts.rarer_than(26, missing).all()


def test_counts_never_wrap_around() -> None:
    counts = IdCounts()
    full = chunk(np.zeros(CHUNK_ROWS, dtype=np.int32))
    for _ in range(5):
        counts.add(full)
        assert not counts.rarer_than(CHUNK_ROWS - 1, full.rows(0, 1)).any()
