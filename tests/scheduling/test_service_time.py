from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.scheduling.service_time import LinearTime, ServiceTimeEstimator


def feed(
    estimator: ServiceTimeEstimator, truth: LinearTime, count: int, *, seed: int = 0, noise: float = 0.05
) -> None:
    rng = np.random.default_rng(seed)
    for rows in rng.integers(10, 200, count).tolist():
        estimator.observe(rows, truth.ms(rows) * rng.lognormal(0, noise))


lines = st.builds(LinearTime, st.floats(0, 5), st.floats(0.001, 0.5))


@settings(max_examples=25)
@given(first=lines, truth=lines)
def test_it_finds_the_line_from_anywhere(first: LinearTime, truth: LinearTime) -> None:
    estimator = ServiceTimeEstimator(first)
    feed(estimator, truth, 600)
    for rows in (20, 100, 200):
        assert estimator.fitted.ms(rows) == pytest.approx(truth.ms(rows), rel=0.1)


def test_it_is_numpys_weighted_fit_where_nothing_is_far_off() -> None:
    estimator, truth = ServiceTimeEstimator(LinearTime(1, 0.1)), LinearTime(1, 0.1)
    rng = np.random.default_rng(0)
    rows = rng.integers(10, 200, 800)
    times = np.array([truth.ms(row) for row in rows.tolist()]) * rng.uniform(0.95, 1.05, 800)
    for row, time in zip(rows.tolist(), times.tolist(), strict=True):
        estimator.observe(row, time)
    weights = 0.98 ** np.arange(799, -1, -1)
    slope, overhead = np.polyfit(rows, times, 1, w=np.sqrt(weights))
    assert estimator.fitted.row_ms == pytest.approx(slope, rel=1e-3)
    assert estimator.fitted.overhead_ms == pytest.approx(overhead, rel=0.02)


def test_one_outlier_hardly_moves_it() -> None:
    estimator = ServiceTimeEstimator(LinearTime(1, 0.1))
    feed(estimator, LinearTime(1, 0.1), 300)
    before = estimator.fitted.ms(100)
    estimator.observe(100, 10_000)
    assert estimator.fitted.ms(100) == pytest.approx(before, rel=0.02)


@pytest.mark.parametrize("change", [LinearTime(2, 0.3), LinearTime(0.2, 0.02)])
def test_it_follows_a_change(change: LinearTime) -> None:
    estimator = ServiceTimeEstimator(LinearTime(1, 0.1))
    feed(estimator, LinearTime(1, 0.1), 300)
    feed(estimator, change, 250, seed=1)
    assert estimator.fitted.ms(100) == pytest.approx(change.ms(100), rel=0.1)


def test_of_equal_sub_batches_it_learns_the_mean_and_keeps_the_share() -> None:
    estimator = ServiceTimeEstimator(LinearTime(5, 0.05))
    for _ in range(1000):
        estimator.observe(100, 20)
    before = estimator.fitted
    assert before.ms(100) == pytest.approx(20)
    for _ in range(1000):
        estimator.observe(100, 40)
    assert estimator.fitted.ms(100) == pytest.approx(40)
    assert estimator.fitted.overhead_ms == pytest.approx(2 * before.overhead_ms)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.floats(0, 1e6)), max_size=80))
def test_coefficients_are_never_negative_or_lost(measured: list[tuple[int, float]]) -> None:
    estimator = ServiceTimeEstimator(LinearTime(1, 0.1))
    for rows, ms in measured:
        estimator.observe(rows, ms)
    assert 0 <= estimator.fitted.overhead_ms < np.inf
    assert 0 <= estimator.fitted.row_ms < np.inf


def test_a_decay_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="decay"):
        ServiceTimeEstimator(LinearTime(1, 1), decay=1)
