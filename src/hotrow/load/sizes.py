"""How many candidates a query has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import ConfigError
from hotrow.load.trace import Trace, read_trace

MAX_CANDIDATES = 1024
"""DeepRecSys clips its queries to this many candidates."""

MLPERF_SIZES = (100,) * 2 + (200,) * 12 + (300,) * 2 + (400, 500, 600, 700)
"""Equally likely sizes, mean 270: MLPerf Inference's stand-in for production queries of DLRM
(mlcommons/inference, recommendation)."""

_EXPECTED = "mlperf, heavy, fixed:N, normal:MEAN,SD, lognormal:MU,SIGMA or trace:FILE"


class SizeLaw(Protocol):
    """A distribution of sizes before they are rounded and clipped."""

    @property
    def largest(self) -> float:
        """No size is larger; infinite: there is no such bound."""

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        """Return ``count`` sizes, (count,) of any number type."""


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """Every query has ``size`` candidates."""

    size: int

    @property
    def largest(self) -> float:
        """No size is larger."""
        return self.size

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        """Return ``count`` equal sizes."""
        return np.full(count, self.size)


@dataclass(frozen=True, kw_only=True)
class Normal:
    """Sizes by the normal law, which has no largest; DeepRecSys uses (165, 16) and (256, 32)."""

    mean: float
    sd: float

    @property
    def largest(self) -> float:
        """No size is larger."""
        return math.inf

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        """Return ``count`` sizes."""
        return rng.normal(self.mean, self.sd, count)


@dataclass(frozen=True, kw_only=True)
class LogNormal:
    """Sizes whose logarithm is normal, and have no largest; DeepRecSys uses (5.1, 0.2)."""

    mu: float
    sigma: float

    @property
    def largest(self) -> float:
        """No size is larger."""
        return math.inf

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        """Return ``count`` sizes."""
        return rng.lognormal(self.mu, self.sigma, count)


@dataclass(frozen=True, kw_only=True)
class MLPerf:
    """``MLPERF_SIZES``, equally likely."""

    @property
    def largest(self) -> float:
        """No size is larger."""
        return max(MLPERF_SIZES)

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        """Return ``count`` sizes."""
        return np.array(MLPERF_SIZES)[rng.integers(0, len(MLPERF_SIZES), count)]


@dataclass(frozen=True, kw_only=True)
class HeavyTail:
    """Sizes with the tail that DeepRecSys (Gupta et al., ISCA 2020) tells of production queries.

    There the quarter of the queries above the 75th percentile takes about half of the work, and the largest
    have about 1000 candidates; the sizes themselves were never published. Here the lower three quarters
    are its scripts' lognormal law; the upper quarter follows a Pareto law cut off at ``largest``, with the
    exponent for which both have the same sum on average. In figures: 75th percentile 188, mean 228.

    Attributes:
        mu, sigma: of the lognormal law.
        exponent: of the Pareto law.
        largest: its end.
    """

    mu: float = 5.1
    sigma: float = 0.2
    exponent: float = 0.2701
    largest: float = 1000.0

    @property
    def threshold(self) -> float:
        """The 75th percentile, where the Pareto law begins."""
        return math.exp(self.mu + self.sigma * _UPPER_QUARTILE)

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        """Return ``count`` sizes."""
        z = rng.standard_normal(count)
        ratio = (self.largest / self.threshold) ** -self.exponent
        tail = self.threshold * (1 - rng.random(count) * (1 - ratio)) ** (-1 / self.exponent)
        return np.where(z > _UPPER_QUARTILE, tail, np.exp(self.mu + self.sigma * z))


_UPPER_QUARTILE = 0.6744897501960817  # of the standard normal law


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Whole numbers of candidates from 1 to ``most``.

    Attributes:
        text: as it was given, e.g. ``"normal:165,16"``.
        law: what they are drawn from.
        most: larger ones are clipped to this.
    """

    text: str
    law: SizeLaw
    most: int = MAX_CANDIDATES

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Return ``count`` sizes, (count,)."""
        whole: NDArray[np.int64] = np.clip(np.rint(self.law.draw(rng, count)), 1, self.most).astype(np.int64)
        return whole

    @property
    def largest(self) -> int:
        """No query has more candidates."""
        largest = self.law.largest
        return max(min(round(largest), self.most), 1) if math.isfinite(largest) else self.most

    @property
    def trace(self) -> Trace | None:
        """The trace that sizes come from, which may hold arrivals too."""
        return self.law if isinstance(self.law, Trace) else None


def parse_sizes(text: str, *, most: int = MAX_CANDIDATES) -> Sizes:
    """Read ``mlperf``, ``heavy``, ``fixed:100``, ``normal:165,16``, ``lognormal:5.1,0.2`` or ``trace:FILE``.

    Raises:
        ConfigError: it is none of these, or a number is out of range.
        MissingFileError: there is no such trace.
        DataError: the trace cannot be used.
    """
    if most < 1:
        raise ConfigError("--max-size", most, "at least 1")
    name, _, rest = text.partition(":")
    if name == "trace" and rest:
        return Sizes(text=text, law=read_trace(Path(rest)), most=most)
    if text in ("mlperf", "heavy"):
        return Sizes(text=text, law=MLPerf() if text == "mlperf" else HeavyTail(), most=most)
    try:
        numbers = [float(part) for part in rest.split(",")]
    except ValueError:
        numbers = []
    law = _law(name, numbers) if all(map(math.isfinite, numbers)) else None
    if law is None:
        raise ConfigError("--sizes", text, _EXPECTED)
    return Sizes(text=text, law=law, most=most)


def _law(name: str, numbers: list[float]) -> SizeLaw | None:
    if name == "fixed" and len(numbers) == 1 and numbers[0] >= 1 and numbers[0].is_integer():
        return Fixed(size=int(numbers[0]))
    if len(numbers) != 2 or numbers[1] < 0:
        return None
    if name == "normal":
        return Normal(mean=numbers[0], sd=numbers[1])
    return LogNormal(mu=numbers[0], sigma=numbers[1]) if name == "lognormal" else None
