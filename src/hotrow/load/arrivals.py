"""When queries arrive: float seconds, a pure function of the generator that is passed in."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hotrow.load.shapes import RateShape


def poisson_arrivals(
    qps: float, seconds: float, shape: RateShape, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the arrivals of a Poisson process whose rate is ``qps`` times the shape.

    By thinning: candidates arrive at the highest rate, with exponential gaps, and each is kept with the
    share of it that the rate has then (P. A. W. Lewis, G. S. Shedler, "Simulation of nonhomogeneous Poisson
    processes by thinning", 1979).

    Args:
        qps: mean rate.
        seconds: how long.
        shape: of the rate.
        rng: decides everything that is random.

    Returns:
        (n,) seconds since the start, ascending, within [0, seconds).
    """
    candidates = _homogeneous(qps * shape.peak, seconds, rng)
    height = rng.random(len(candidates)) * shape.peak
    return candidates[height < shape.relative(candidates, rng)]


def uniform_arrivals(qps: float, seconds: float) -> NDArray[np.float64]:
    """Return arrivals with equal gaps of 1 / qps, (n,) seconds within [0, seconds)."""
    return np.arange(math.ceil(qps * seconds)) / qps


def _homogeneous(rate: float, seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the arrivals of a Poisson process of constant rate: sums of exponential gaps."""
    mean = rate * seconds
    enough = int(mean + 6 * math.sqrt(mean)) + 16
    parts = [np.cumsum(rng.exponential(1 / rate, enough))]
    while parts[-1][-1] < seconds:
        parts.append(parts[-1][-1] + np.cumsum(rng.exponential(1 / rate, enough)))
    arrivals = np.concatenate(parts)
    return arrivals[: np.searchsorted(arrivals, seconds)]
