from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hotrow.load.percentiles import percentile
from hotrow.metrics.quantile import quantile


def queue(utilisation: float, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return times in the system of an M/M/1 queue with mean service 1, by Lindley's recursion."""
    total = count + 3000
    gaps, service = rng.exponential(1 / utilisation, total), rng.exponential(1, total)
    walk = np.concatenate([[0], np.cumsum(service[:-1] - gaps[1:])])
    times: NDArray[np.float64] = (walk - np.minimum.accumulate(walk) + service)[3000:]
    return times


def share_held(utilisation: float, q: float, *, as_independent: bool = False) -> float:
    """Return in how many runs the interval holds the truth: times in the system are exponential."""
    truth = -math.log(1 - q) / (1 - utilisation)
    rng, held = np.random.default_rng(1), 0
    for _ in range(150):
        times = queue(utilisation, 8000, rng)
        found = quantile(np.sort(times), q) if as_independent else percentile(times, q, level=0.95)
        is_above = found.low is None or found.low <= truth
        held += is_above and (found.high is None or truth <= found.high)
    return held / 150


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_intervals_hold_for_queries_that_waited_in_one_queue(q: float) -> None:
    assert share_held(0.8, q) > 0.8
    assert share_held(0.8, q, as_independent=True) < 0.5, "which is why clumps are counted"


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_independent_latencies_lose_little(q: float) -> None:
    times = np.random.default_rng(0).exponential(size=20_000)
    aware, plain = percentile(times, q, level=0.95), quantile(np.sort(times), q)
    assert aware.value == plain.value
    for found, expected in ((aware.low, plain.low), (aware.high, plain.high)):
        assert found is not None
        assert expected is not None
        assert abs(found - aware.value) == pytest.approx(abs(expected - aware.value), rel=0.35)


def test_few_queries_have_no_upper_end() -> None:
    found = percentile(np.array([3.0, 1.0, 2.0]), 0.99, level=0.95)
    assert (found.value, found.high) == (3, None)
    assert percentile(np.ones(1), 0.5, level=0.95).value == 1
