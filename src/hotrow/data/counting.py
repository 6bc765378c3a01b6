"""Counting how often each id occurs, in bounded memory however many rows or ids there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_DISTINCT = 4 << 20
"""Ids counted at once; beyond it the range of keys is halved and the upper half counted later."""


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """The ids that are kept, and what was left out.

    Attributes:
        keys: (K,) kept keys, by decreasing count, then key.
        counts: (K,) int64 how often each occurred.
        distinct: how many different keys occurred, kept or not.
        total: how many keys were counted.
    """

    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]
    distinct: int
    total: int


def count_keys(
    read: Callable[[], Iterable[NDArray[Any]]], *, min_count: int, max_distinct: int = MAX_DISTINCT
) -> KeyCounts:
    """Count keys and keep those that occur at least ``min_count`` times.

    Args:
        read: returns the keys anew, as unsigned integer arrays of any length; called once, and once
            more each time the range of keys has to be halved.
        min_count: rarer keys are dropped.
        max_distinct: bound on the distinct keys held while counting.
    """
    kept_keys: list[NDArray[np.uint64]] = []
    kept_counts: list[NDArray[np.int64]] = []
    distinct = total = 0
    for keys, counts in _count_by_range(read, max_distinct):
        distinct += len(keys)
        total += int(counts.sum())
        kept = counts >= min_count
        kept_keys.append(keys[kept].astype(np.uint64))
        kept_counts.append(counts[kept])
    keys, counts = np.concatenate(kept_keys), np.concatenate(kept_counts)
    order = np.argsort(-counts, kind="stable")  # ranges come in order, so equal counts stay sorted by key
    return KeyCounts(keys[order], counts[order], distinct, total)


def _count_by_range(
    read: Callable[[], Iterable[NDArray[Any]]], max_distinct: int
) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
    """Yield sorted keys and their counts, for one range of keys after another."""
    waiting = [(0, 2**64 - 1)]
    while waiting:
        low, high = waiting.pop()
        keys, counts = np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64)
        for part in read():
            is_inside = low > 0 or high < np.iinfo(part.dtype).max
            inside = part[(part >= low) & (part <= high)] if is_inside else part
            keys, counts = _merge(keys, counts, *np.unique(inside, return_counts=True))
            if len(keys) > max_distinct:
                middle = int(keys[len(keys) // 2 - 1])
                waiting.append((middle + 1, high))
                high = middle
                keys, counts = keys[: len(keys) // 2].copy(), counts[: len(counts) // 2].copy()
        yield keys, counts


def _merge(
    keys: NDArray[Any], counts: NDArray[np.int64], more_keys: NDArray[Any], more_counts: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Merge two sorted lists of distinct keys, adding the counts of those in both."""
    if not len(keys):
        return more_keys, more_counts
    if not len(more_keys):
        return keys, counts
    keys, counts = np.concatenate((keys, more_keys)), np.concatenate((counts, more_counts))
    order = np.argsort(keys, kind="stable")  # two sorted runs, which this kind of sort just merges
    keys = keys[order]
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return keys[first], np.add.reduceat(counts[order], first)
