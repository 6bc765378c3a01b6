from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.clumps import Clumps, count_clumps


def naive(latencies: list[float], sla: float) -> list[int]:
    median = sorted(latencies)[(len(latencies) - 1) // 2]
    sizes, open_ = [], 0
    for latency in latencies:
        if latency > sla:
            open_ += 1
        elif latency <= median and open_:
            sizes.append(open_)
            open_ = 0
    return [*sizes, open_] if open_ else sizes


@given(
    st.lists(st.one_of(st.integers(1, 9).map(float), st.just(float("inf"))), min_size=1), st.integers(1, 9)
)
def test_clumps_end_at_queries_as_fast_as_the_median(latencies: list[float], sla: float) -> None:
    sizes = naive(latencies, sla)
    found = count_clumps(np.array(latencies), sla)
    assert found == Clumps(sum(sizes), sum(size**2 for size in sizes))


def test_independent_late_queries_count_one_each() -> None:
    latencies = np.where(np.random.default_rng(0).random(100_000) < 0.01, 2.0, 1.0)
    assert count_clumps(latencies, 1.5).factor == pytest.approx(1, abs=0.05)
    assert Clumps().factor == 1


def test_the_factor_is_the_variance_of_counts_over_that_of_independent_ones() -> None:
    rng = np.random.default_rng(0)
    blocks, length = 2000, 1000
    late = np.zeros((blocks, length + 200), dtype=bool)
    for block, start in zip(*np.nonzero(rng.random((blocks, length)) < 0.002), strict=True):
        late[block, start : start + rng.geometric(0.1)] = True
    counts = late[:, 100:length].sum(axis=1)
    share = counts.mean() / (length - 100)
    latencies = np.where(late[:, 100:length].ravel(), 2.0, 1.0)
    measured = counts.var() / (counts.mean() * (1 - share))
    assert count_clumps(latencies, 1.5).factor == pytest.approx(measured, rel=0.15)


def test_clumps_add_up() -> None:
    assert Clumps(2, 4) + Clumps(1, 1) == Clumps(3, 5)
