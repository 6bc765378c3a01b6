"""How sure the mean of a metric over groups is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and where it lies.

    Attributes:
        mean: the (weighted) mean.
        error: its standard error.
        low: lower end of the confidence interval.
        high: upper end.
        count: groups that it is of.
    """

    mean: float
    error: float
    low: float
    high: float
    count: int


def mean_interval(
    values: NDArray[Any], weights: NDArray[Any] | None = None, *, level: float = 0.95
) -> Interval:
    """Return the mean over groups with its confidence interval, by the normal approximation.

    Groups are taken as a random sample of all groups; rows within a group need not be independent. The
    weights are part of the sample, so the weighted mean is a ratio of two means and its error that of
    a ratio (W. G. Cochran, "Sampling Techniques", 3rd edition, section 6.4). For two models on the
    same groups, give the differences of their values: what both find hard then does not count as noise.

    Args:
        values: (G,) one for each group; NaN ones are left out.
        weights: (G,) at least 0, such as the groups' rows; None: all alike.
        level: of confidence, between 0 and 1.

    Raises:
        ValueError: fewer than two groups are left, or their weights are all 0.
    """
    values = np.asarray(values, dtype=np.float64)
    weights = np.ones(values.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    defined = ~np.isnan(values)
    values, weights = values[defined], weights[defined]
    total = float(weights.sum())
    if values.size < 2 or total <= 0:
        raise ValueError(f"got {values.size} groups of total weight {total}, expected at least two")
    mean = float(values @ weights) / total
    spread = float(np.square(weights * (values - mean)).sum()) * values.size / (values.size - 1)
    error = math.sqrt(spread) / total
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    return Interval(mean=mean, error=error, low=mean - reach, high=mean + reach, count=values.size)
