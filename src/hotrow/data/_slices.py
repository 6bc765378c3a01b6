"""Lists of ids whose rows are slices of one array: picking rows, putting runs of rows together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import EncodedList


def take_rows(rows: EncodedList, picked: slice | NDArray[np.int64]) -> EncodedList:
    """Return some of the rows, which are slices of the same ids."""
    return EncodedList(rows.ids, rows.starts[picked], rows.lengths[picked], rows.weights)


def flat_indices(starts: NDArray[np.integer[Any]], lengths: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the positions of all rows' slices, one after another.

    Args:
        starts: (B,) where each row's slice begins.
        lengths: (B,) how long it is.

    Returns:
        (L,) int64, L the sum of the lengths.
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)


def join_runs(runs: Sequence[EncodedList]) -> EncodedList:
    """Copy runs of rows side by side, with as few ids as the runs allow.

    Rows of a run mostly lie side by side, or are a user's successive histories, which overlap; then the
    stretch of ids that they span is copied. Where that would be more than all slices together, these are.

    Args:
        runs: at least one; all with weights or none.
    """
    parts = [_stretch(run) for run in runs]
    shifts = np.cumsum([0, *(len(part.ids) for part in parts)])[:-1].tolist()
    weights = [part.weights for part in parts if part.weights is not None]
    return EncodedList(
        ids=np.concatenate([part.ids for part in parts]),
        starts=np.concatenate([part.starts + shift for part, shift in zip(parts, shifts, strict=True)]),
        lengths=np.concatenate([part.lengths for part in parts]),
        weights=np.concatenate(weights) if weights else None,
    )


def _stretch(run: EncodedList) -> EncodedList:
    kept, starts = stretch(run.starts, run.lengths)
    return EncodedList(run.ids[kept], starts, run.lengths, None if run.weights is None else run.weights[kept])


def stretch(
    starts: NDArray[np.integer[Any]], lengths: NDArray[np.integer[Any]]
) -> tuple[slice | NDArray[np.int64], NDArray[np.int64]]:
    """Find few values that hold all slices: those that they span, or the slices one after another.

    Args:
        starts: (B,) where each row's slice begins.
        lengths: (B,) how long it is.

    Returns:
        Which values to keep, at most as many as all slices have together; and where slices begin in
        them, (B,).
    """
    is_filled = lengths > 0
    ends = starts + lengths.astype(np.int64)
    last = int(np.max(ends, where=is_filled, initial=0))
    first = int(np.min(starts, where=is_filled, initial=last))
    total = int(lengths.sum(dtype=np.int64))
    if last - first > total:
        return flat_indices(starts, lengths), np.cumsum(lengths, dtype=np.int64) - lengths
    return slice(first, last), np.where(is_filled, starts - np.int64(first), 0)


def covered(starts: NDArray[np.integer[Any]], lengths: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the positions that at least one slice holds, each once, ascending.

    Args:
        starts: (B,) where each row's slice begins.
        lengths: (B,) how long it is.
    """
    is_filled = lengths > 0
    if not is_filled.any():
        return np.zeros(0, np.int64)
    begins, ends = starts[is_filled].astype(np.int64), (starts + lengths.astype(np.int64))[is_filled]
    first = int(begins.min())
    size = int(ends.max()) - first + 1
    opened = np.bincount(begins - first, minlength=size) - np.bincount(ends - first, minlength=size)
    return np.flatnonzero(np.cumsum(opened)) + first
