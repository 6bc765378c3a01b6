"""The binomial distribution, exact to rounding, for counts of rare events among many."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def probabilities(trials: int, chance: float, most: int) -> NDArray[np.float64]:
    """Return P(X = k) for k = 0 .. min(most, trials), X binomial.

    Args:
        trials: how often it is tried, at least 0.
        chance: of the event in each, above 0 and below 1.
        most: the last k, at least 0.
    """
    k = np.arange(1, min(most, trials) + 1, dtype=np.float64)
    ratios = np.log(trials - k + 1) - np.log(k) + math.log(chance) - math.log1p(-chance)
    return np.exp(trials * math.log1p(-chance) + np.concatenate(([0.0], np.cumsum(ratios))))


def at_most(count: int, trials: int, chance: float) -> float:
    """Return P(X <= count)."""
    if count < 0:
        return 0.0
    return 1.0 if count >= trials else min(1.0, float(probabilities(trials, chance, count).sum()))


def at_least(count: int, trials: int, chance: float) -> float:
    """Return P(X >= count), summed from its own side so that small values keep their digits."""
    if count > trials:
        return 0.0
    return 1.0 if count <= 0 else at_most(trials - count, trials, 1 - chance)
