"""The n-th smallest of any number of 64-bit numbers that are read anew as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

_DIGIT_BITS = 16
_DIGITS = 1 << _DIGIT_BITS


def nth_smallest(read: Callable[[], Iterable[NDArray[np.uint64]]], rank: int) -> tuple[int, int]:
    """Find a number by its rank, digit by digit of 16 bits: four passes, half a MiB.

    Args:
        read: returns all numbers anew.
        rank: how many numbers come before it, fewer than there are.

    Returns:
        The number, and how many equal to it come before it.
    """
    prefix = 0
    for shift in range(64 - _DIGIT_BITS, -1, -_DIGIT_BITS):
        counts = np.zeros(_DIGITS, dtype=np.int64)
        for numbers in read():
            digits = numbers >> np.uint64(shift)
            inside = digits[(digits >> np.uint64(_DIGIT_BITS)) == prefix] & np.uint64(_DIGITS - 1)
            counts += np.bincount(inside.astype(np.int64), minlength=_DIGITS)
        ends = np.cumsum(counts)
        digit = int(np.searchsorted(ends, rank, side="right"))
        rank -= int(ends[digit] - counts[digit])
        prefix = prefix << _DIGIT_BITS | digit
    return prefix, rank
