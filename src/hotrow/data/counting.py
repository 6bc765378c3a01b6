"""Counting how often each id occurs, in bounded memory however many rows or ids there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.key_counts import KeyCounter

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
        read: returns the keys anew, as arrays of uint32 or uint64 of any length; called once, and once
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
        kept_keys.append(keys[kept])
        kept_counts.append(counts[kept])
    keys, counts = np.concatenate(kept_keys), np.concatenate(kept_counts)
    order = np.argsort(-counts, kind="stable")  # ranges come in order, so equal counts stay sorted by key
    return KeyCounts(keys[order], counts[order], distinct, total)


def _count_by_range(
    read: Callable[[], Iterable[NDArray[Any]]], max_distinct: int
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
    """Yield sorted keys and their counts, for one range of keys after another."""
    waiting = [(0, 2**64 - 1)]
    while waiting:
        low, high = waiting.pop()
        counter = KeyCounter()
        for part in read():
            is_inside = low > 0 or high < np.iinfo(part.dtype).max
            counter.add(part[(part >= low) & (part <= high)] if is_inside else part)
            if len(counter) > max_distinct:
                keys, counts = counter.sorted()
                half = len(keys) // 2
                middle = int(keys[half - 1])
                waiting.append((middle + 1, high))
                high = middle
                counter = KeyCounter()
                counter.add(keys[:half], counts[:half])
        yield counter.sorted()
