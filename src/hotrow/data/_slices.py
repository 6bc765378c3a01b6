"""Lists of ids whose rows are slices of one array: where they lie, putting runs of rows together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import EncodedList


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
    """Put runs of rows side by side, with as few ids as the runs allow.

    Rows of a run mostly lie side by side, or are users' histories, which overlap; then the stretch of ids
    that they span is copied. Where that would be more than all slices together, these are. Runs of one
    shard share a stretch where that is less, so that overlapping histories of a window stay small.

    Args:
        runs: at least one; all with weights or none.
    """
    ids, weights, starts = [], [], [run.starts for run in runs]
    shift = 0
    for members in _sharing(runs):
        sizes = [len(runs[at].starts) for at in members]
        joined = (np.concatenate([runs[at].starts for at in members]), _lengths(runs, members))
        kept, moved = stretch(*joined)
        for at, piece in zip(members, np.split(moved + shift, np.cumsum(sizes)[:-1]), strict=True):
            starts[at] = piece
        first = runs[members[0]]
        ids.append(first.ids[kept])
        if first.weights is not None:
            weights.append(first.weights[kept])
        shift += len(ids[-1])
    return EncodedList(
        ids=np.concatenate(ids),
        starts=np.concatenate(starts),
        lengths=_lengths(runs, range(len(runs))),
        weights=np.concatenate(weights) if weights else None,
    )


def _sharing(runs: Sequence[EncodedList]) -> list[list[int]]:
    """Return which runs are to share a stretch of ids: those of one array, or each by itself."""
    sources: dict[int, list[int]] = {}
    for at, run in enumerate(runs):
        sources.setdefault(id(run.ids), []).append(at)
    found: list[list[int]] = []
    for members in sources.values():
        starts = np.concatenate([runs[at].starts for at in members])
        lengths = _lengths(runs, members)
        first, last = _span(starts, lengths)
        found += [members] if last - first <= lengths.sum(dtype=np.int64) else [[at] for at in members]
    return found


def _lengths(runs: Sequence[EncodedList], members: Sequence[int]) -> NDArray[np.integer[Any]]:
    return np.concatenate([runs[at].lengths for at in members])


def _span(starts: NDArray[np.integer[Any]], lengths: NDArray[np.integer[Any]]) -> tuple[int, int]:
    """Return where the first slice begins and the last one ends; empty ones lie nowhere."""
    is_filled = lengths > 0
    last = int(np.max(starts + lengths.astype(np.int64), where=is_filled, initial=0))
    return int(np.min(starts, where=is_filled, initial=last)), last


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
    first, last = _span(starts, lengths)
    if last - first > int(lengths.sum(dtype=np.int64)):
        return flat_indices(starts, lengths), np.cumsum(lengths, dtype=np.int64) - lengths
    return slice(first, last), np.where(lengths > 0, starts - np.int64(first), 0)


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
