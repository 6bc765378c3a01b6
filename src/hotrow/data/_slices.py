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
    """Return the rows with few ids that belong to none of them."""
    lengths = run.lengths.astype(np.int64)
    total = int(lengths.sum())
    first = int(np.min(run.starts, where=lengths > 0, initial=len(run.ids)))
    last = int(np.max(run.starts + lengths, where=lengths > 0, initial=first))
    kept: slice | NDArray[np.int64] = slice(first, last)
    starts = np.where(lengths > 0, run.starts - np.int64(first), 0)
    if last - first > total:
        kept, starts = flat_indices(run.starts, lengths), np.cumsum(lengths) - lengths
    return EncodedList(run.ids[kept], starts, lengths, None if run.weights is None else run.weights[kept])
