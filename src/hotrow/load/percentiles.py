"""Percentiles of latencies in order of arrival, with intervals that know that late queries come in clumps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hotrow.metrics.quantile import Quantile, interval_ranks, quantile
from hotrow.scheduling.clumps import count_clumps


def percentile(latencies_ms: NDArray[np.float64], q: float, *, level: float) -> Quantile:
    """Return a percentile with its confidence interval.

    While a queue is long, all its queries are late together, so they tell less than as many independent ones
    would. How much less is taken from the clumps in which they exceed the percentile
    (``hotrow.scheduling.clumps``); the interval is that of so many fewer independent queries.

    Args:
        latencies_ms: (n,) in order of arrival, n > 0.
        q: between 0 and 1.
        level: of confidence.
    """
    ascending = np.sort(latencies_ms)
    n = len(ascending)
    value = quantile(ascending, q, level=level).value
    worth = max(round(n / _clump_factor(latencies_ms, value, q)), 1)
    low, high = interval_ranks(worth, q, level)
    first, last = (None if rank is None else rank * n / worth for rank in (low, high))
    return Quantile(
        value=value,
        low=None if first is None else float(ascending[max(math.floor(first), 1) - 1]),
        high=None if last is None else float(ascending[min(math.ceil(last), n) - 1]),
    )


def _clump_factor(latencies_ms: NDArray[np.float64], value: float, q: float) -> float:
    """Return how many queries are worth an independent one.

    Independent queries follow each other by chance too: until one is below the median, each is above the
    percentile with chance (1 - q) / (1 - q + 1/2). What such clumps would give is taken off.
    """
    again = (1 - q) / (1.5 - q)
    by_chance = (1 + again) / (1 - again)
    return max(count_clumps(latencies_ms, value).factor / by_chance, 1.0)
