"""Statistical tests have fixed seeds; a right law exceeds their thresholds for about one seed in 1000."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hotrow.load.arrivals import poisson_arrivals, uniform_arrivals
from hotrow.load.shapes import Bursts, Constant, Diurnal, RateShape

KS_999 = 1.95
"""The Kolmogorov law's 99.9% quantile: of sqrt(n) times the largest distance."""


def kolmogorov(values: NDArray[np.float64]) -> float:
    """Return sqrt(n) times the distance between the sample and the uniform law on [0, 1]."""
    ordered, n = np.sort(values), len(values)
    steps = np.arange(n + 1) / n
    return math.sqrt(n) * float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def poisson(qps: float, seconds: float, shape: RateShape, seed: int = 0) -> NDArray[np.float64]:
    return poisson_arrivals(qps, seconds, shape, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(3))
def test_gaps_are_exponential(seed: int) -> None:
    arrivals = poisson(700, 60, Constant(), seed)
    gaps = np.diff(arrivals, prepend=0)
    assert kolmogorov(-np.expm1(-gaps * 700)) < KS_999


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_poisson(seed: int) -> None:
    """Counts of disjoint intervals have variance equal to their mean: the dispersion is chi-square."""
    counts = np.histogram(poisson(50, 1000, Constant(), seed), bins=1000, range=(0, 1000))[0]
    dispersion = float(np.square(counts - 50).sum() / 50)  # chi-square with 1000 degrees of freedom
    assert abs(dispersion - 1000) < 3.3 * math.sqrt(2 * 1000)
    assert abs(counts.sum() - 50_000) < 3.3 * math.sqrt(50_000)


def test_gaps_are_no_whole_milliseconds() -> None:
    arrivals_ms = poisson(1000, 5, Constant()) * 1000
    assert kolmogorov(arrivals_ms % 1) < KS_999


@pytest.mark.parametrize("seed", range(3))
def test_the_sinusoid_is_followed(seed: int) -> None:
    """The cumulative rate takes the arrivals to a homogeneous process: uniform, given their number."""
    shape = Diurnal(depth=0.8, period_s=7)
    arrivals = poisson(300, 35, shape, seed)
    phase = 2 * math.pi / 7
    cumulative = arrivals + 0.8 / phase * (1 - np.cos(phase * arrivals))
    assert kolmogorov(cumulative / 35) < KS_999
    assert abs(len(arrivals) - 300 * 35) < 3.3 * math.sqrt(300 * 35)


def test_bursts_have_two_rates_and_the_mean() -> None:
    shape = Bursts(factor=5, burst_s=1, calm_s=4)
    assert 0.2 * shape.peak + 0.8 * shape.calm == pytest.approx(1)
    seconds = 20_000
    arrivals = poisson(40, seconds, shape)
    # Beside Poisson noise, the number has the variance of the rate's integral: 2 var(rate) * time constant.
    spread = 40 * (shape.peak - shape.calm)
    error = math.sqrt(2 * 0.2 * 0.8 * spread**2 * (1 * 4 / 5) * seconds + 40 * seconds)
    assert abs(len(arrivals) - 40 * seconds) < 3.3 * error


def test_within_a_state_the_rate_is_constant() -> None:
    shape = Bursts(factor=5, burst_s=50, calm_s=200)
    counts = np.histogram(poisson(40, 20_000, shape), bins=20_000, range=(0, 20_000))[0]
    is_calm = counts < 60  # half way: some 5 standard deviations from either rate
    assert counts[is_calm].mean() == pytest.approx(40 * shape.calm, rel=0.02)
    assert counts[~is_calm].mean() == pytest.approx(40 * shape.peak, rel=0.02)
    assert counts[is_calm].var() == pytest.approx(40 * shape.calm, rel=0.1)


def test_two_runs_of_a_seed_are_equal() -> None:
    shape = Bursts(factor=3, burst_s=0.5, calm_s=1)
    np.testing.assert_array_equal(poisson(100, 10, shape, 4), poisson(100, 10, shape, 4))
    assert len(poisson(100, 10, shape, 4)) != len(poisson(100, 10, shape, 5))


@pytest.mark.parametrize("qps", [0.01, 3.0, 5000.0])
def test_arrivals_ascend_within_the_time(qps: float) -> None:
    for shape in (Constant(), Diurnal(depth=1, period_s=0.5), Bursts(factor=9, burst_s=0.1, calm_s=0.3)):
        arrivals = poisson(qps, 2.5, shape)
        assert arrivals.dtype == np.float64
        assert (np.diff(arrivals) >= 0).all()
        assert ((arrivals >= 0) & (arrivals < 2.5)).all()


def test_uniform_gaps_are_equal() -> None:
    np.testing.assert_allclose(uniform_arrivals(4, 1.1), [0, 0.25, 0.5, 0.75, 1.0])
