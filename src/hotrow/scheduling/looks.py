"""Looking several times at a growing count, without fooling oneself.

Looking again and again until a verdict comes out makes wrong verdicts likely: each look is another chance
for luck. Here the looks are fixed beforehand (a first number of queries, then twice as many each time), and
the permitted error is spent on them: half of it at the first look, half of the rest at the next, the whole
rest at the last (error spending, K. K. G. Lan and D. L. DeMets, Biometrika 70, 1983). What a look leaves
unspent, counts being whole, goes to the next.

The bounds are exact: the distribution of the count among the measurements that are still undecided is
carried from look to look at the boundary, a late share of exactly what is allowed. There both errors are
largest: with fewer late queries every path of counts that would end in "holds" still does, and earlier.

An error of 1% in all costs 528 clean queries at the first look for p99 (0.995 confidence) in place of 459.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hotrow.scheduling.binomial import probabilities
from hotrow.scheduling.tail import CONFIDENCE, Verdict, allowed_share, least_queries

COUNT = 4
"""Looks of a plan: the last is at 8 times as many queries as the first."""


@dataclass(frozen=True)
class Look:
    """One look.

    Attributes:
        queries: how many have been measured by then.
        holds_at_most: with so many violations or fewer the verdict is "holds"; -1: none is few enough.
        fails_at_least: with so many or more it is "fails". Violations only grow in number, so a
            measurement that has as many before the look may stop at once.
    """

    queries: int
    holds_at_most: int
    fails_at_least: int

    def judge(self, violations: int) -> Verdict:
        """Return the verdict at this look."""
        if violations <= self.holds_at_most:
            return "holds"
        return "fails" if violations >= self.fails_at_least else "undecided"


def first_look(percentile: float, confidence: float = CONFIDENCE) -> int:
    """Return the fewest queries at which the first look can say "holds": 528 for p99, 104 for p95."""
    return least_queries(percentile, 0, 1 - (1 - confidence) / 2)


@lru_cache(maxsize=1024)
def plan_looks(
    percentile: float, first: int, count: int = COUNT, confidence: float = CONFIDENCE
) -> tuple[Look, ...]:
    """Return the looks of a plan.

    Args:
        percentile: that the SLA is for.
        first: queries of the first look.
        count: looks, each at twice as many queries as the one before.
        confidence: 1 minus the chance that the whole plan says "holds" of a tail that does not hold; the
            chance that it says "fails" of one that holds is bounded alike.

    Raises:
        ValueError: ``first`` or ``count`` is below 1, or the confidence not above 0.5 and below 1.
    """
    if first < 1 or count < 1 or not 0.5 < confidence < 1:
        raise ValueError(f"got {count} looks from {first} queries on at a confidence of {confidence}")
    share = allowed_share(percentile)
    undecided = np.ones(1)  # P(count of violations is offset + k and no verdict yet)
    offset, before, looks = 0, 0, []
    spare_holds = spare_fails = 0.0
    for number, spend in enumerate(_spending(count, 1 - confidence)):
        queries = first << number
        chances = _convolve(undecided, queries - before, share)
        low, spare_holds = _cut(chances, spare_holds + spend)
        high, spare_fails = _cut(chances[::-1], spare_fails + spend)
        high = max(chances.size - high, low)
        looks.append(Look(queries, offset + low - 1, offset + high))
        undecided, offset, before = chances[low:high], offset + low, queries
    return tuple(looks)


def _spending(count: int, error: float) -> Iterator[float]:
    for _ in range(count - 1):
        error /= 2
        yield error
    yield error


def _convolve(undecided: NDArray[np.float64], trials: int, share: float) -> NDArray[np.float64]:
    """Return the distribution after so many more queries; its far end holds less than 1e-15."""
    mean = trials * share
    most = min(trials, int(mean + 12 * (mean + 9) ** 0.5 + 30))
    return np.convolve(undecided, probabilities(trials, share, most))


def _cut(chances: NDArray[np.float64], spend: float) -> tuple[int, float]:
    """Return how many counts from the front together stay within ``spend``, and what is left of it."""
    sums = np.cumsum(chances)
    number = int(np.searchsorted(sums, spend, side="right"))
    return number, spend - (float(sums[number - 1]) if number else 0.0)
