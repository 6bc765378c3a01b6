from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.metrics.quantile import interval_ranks, quantile


def at_most(n: int, q: Fraction, k: int) -> Fraction:
    """Return P(Binomial(n, q) <= k), exactly."""
    return sum((math.comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k + 1)), Fraction(0))


@given(st.integers(1, 60), st.integers(1, 19))
def test_ranks_are_the_tightest_with_the_confidence(n: int, twentieths: int) -> None:
    q, tail = Fraction(twentieths, 20), Fraction(1, 40)
    low, high = interval_ranks(n, float(q), 0.95)
    if low is not None:
        assert at_most(n, q, low - 1) <= tail + Fraction(1, 10**12)
    assert (0 if low is None else low) == n or at_most(n, q, low or 0) > tail - Fraction(1, 10**12)
    if high is not None:
        assert 1 - at_most(n, q, high - 1) <= tail + Fraction(1, 10**12)
        assert 1 - at_most(n, q, high - 2) > tail - Fraction(1, 10**12)
    else:
        assert 1 - at_most(n, q, n - 1) > tail - Fraction(1, 10**12)


def test_a_tail_needs_enough_values() -> None:
    """The largest of n values exceeds the p99 with confidence 97.5% from 368 values on: 0.99^368 < 0.025."""
    assert interval_ranks(367, 0.99, 0.95)[1] is None
    assert interval_ranks(368, 0.99, 0.95)[1] == 368


def test_large_samples_agree_with_the_normal_law() -> None:
    n, q = 4_000_000, 0.99
    low, high = interval_ranks(n, q, 0.95)
    reach = 1.959964 * math.sqrt(n * q * (1 - q))
    assert low == pytest.approx(n * q - reach, abs=3)
    assert high == pytest.approx(n * q + reach, abs=3)


@pytest.mark.parametrize(
    ("count", "q", "value"), [(1, 0.99, 1), (100, 0.99, 99), (100, 0.5, 50), (101, 0.5, 51)]
)
def test_the_value_is_an_order_statistic(count: int, q: float, value: int) -> None:
    assert quantile(np.arange(1.0, count + 1), q).value == value


def test_intervals_hold_the_quantile_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    draws = np.sort(rng.exponential(size=(2000, 500)), axis=1)
    found = [quantile(row, 0.95) for row in draws]
    truth = -math.log(0.05)
    misses = sum(each.high is not None and each.high < truth for each in found)
    misses += sum(each.low is not None and each.low > truth for each in found)
    assert 0.02 < misses / 2000 < 0.06  # 5% but for the steps of the binomial law
