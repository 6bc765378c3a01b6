"""Percentiles, and how sure they are, by order statistics: nothing is assumed of the distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Quantile:
    """A quantile of a sample.

    Attributes:
        value: the smallest value that at least the share ``q`` of the sample does not exceed.
        low, high: the order statistics between which the quantile of the distribution lies with the
            confidence asked for; None where the sample is too small for such an end.
    """

    value: float
    low: float | None
    high: float | None


def quantile(ascending: NDArray[np.float64], q: float, *, level: float = 0.95) -> Quantile:
    """Return a quantile of independent values with its confidence interval.

    The number of values below the true quantile is binomial, whatever the distribution (H. A. David,
    H. N. Nagaraja, "Order Statistics", 3rd edition, section 7.1).

    Args:
        ascending: (n,) values in ascending order, n > 0.
        q: between 0 and 1.
        level: of confidence; the parts beyond the two ends have equal shares of the rest, at most.
    """
    n = len(ascending)
    low, high = interval_ranks(n, q, level)
    return Quantile(
        value=float(ascending[max(math.ceil(q * n - 1e-9), 1) - 1]),
        low=None if low is None else float(ascending[low - 1]),
        high=None if high is None else float(ascending[high - 1]),
    )


def interval_ranks(n: int, q: float, level: float) -> tuple[int | None, int | None]:
    """Return between which order statistics, counted from 1, the quantile lies with confidence ``level``.

    With K ~ Binomial(n, q), the l-th value exceeds the quantile if K < l, and the u-th is below it if K >= u.
    """
    tail = (1 - level) / 2
    first, shares = _binomial(n, q)
    below = np.cumsum(shares)  # P(K <= first + i)
    low = first + int(np.searchsorted(below, tail, side="right"))  # the largest with P(K <= low - 1) <= tail
    high = first + int(np.searchsorted(below, 1 - tail)) + 1  # the smallest with P(K <= high - 1) >= 1 - tail
    return (low if low >= 1 else None), (high if high <= n else None)


def _binomial(n: int, q: float) -> tuple[int, NDArray[np.float64]]:
    """Return the binomial law about its middle: its first number, and the shares of it and those after it.

    Outside the window of 12 standard deviations nothing is left that a double would hold.
    """
    reach = 12 * math.sqrt(n * q * (1 - q)) + 40
    first, last = max(math.floor(n * q - reach), 0), min(math.ceil(n * q + reach), n)
    k = np.arange(first, last, dtype=np.float64)
    steps = np.log(n - k) - np.log(k + 1) + math.log(q) - math.log1p(-q)
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    shares = np.exp(logs - logs.max())
    return first, shares / shares.sum()
