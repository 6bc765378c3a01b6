from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.binomial import at_least, at_most, probabilities


def exact(k: int, trials: int, chance: Fraction) -> Fraction:
    return comb(trials, k) * chance**k * (1 - chance) ** (trials - k)


@given(trials=st.integers(0, 200), percent=st.integers(1, 99), count=st.integers(-1, 201))
def test_sums_are_exact(trials: int, percent: int, count: int) -> None:
    chance = Fraction(percent, 100)
    below = sum((exact(k, trials, chance) for k in range(min(count, trials) + 1)), Fraction(0))
    assert at_most(count, trials, percent / 100) == pytest.approx(float(below), rel=1e-9, abs=1e-300)
    above = sum((exact(k, trials, chance) for k in range(max(count, 0), trials + 1)), Fraction(0))
    assert at_least(count, trials, percent / 100) == pytest.approx(float(above), rel=1e-9, abs=1e-300)


def test_many_trials_keep_their_digits() -> None:
    values = probabilities(100_000, 0.01, 3000)
    assert values.sum() == pytest.approx(1, rel=1e-9)
    assert values @ np.arange(values.size) == pytest.approx(1000, rel=1e-9)
