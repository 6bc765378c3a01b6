"""How the rate of a load varies about its mean over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import ConfigError

_SHORTEST_S = 1e-3
"""Mean of a burst or a calm at least: an hour has a few million of them then."""

_EXPECTED = "constant, diurnal:DEPTH,PERIOD_S or bursts:FACTOR,BURST_S,CALM_S"


class RateShape(Protocol):
    """A rate relative to its mean, which is 1."""

    @property
    def peak(self) -> float:
        """The highest relative rate."""

    def relative(self, times_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the relative rate at ascending times.

        Args:
            times_s: (n,) seconds since the start.
            rng: of shapes that are random themselves.
        """


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The same rate always."""

    peak: float = 1.0

    def relative(self, times_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return ones, (n,)."""
        return np.ones(len(times_s))


@dataclass(frozen=True, kw_only=True)
class Diurnal:
    """A sinusoid, as traffic follows the day: 1 + depth * sin(2 pi t / period).

    Attributes:
        depth: 0 to 1.
        period_s: seconds of a day, mostly a short one.
    """

    depth: float
    period_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.depth <= 1:
            raise ConfigError("--shape diurnal: DEPTH", self.depth, "0 to 1")
        if not 0 < self.period_s < math.inf:
            raise ConfigError("--shape diurnal: PERIOD_S", self.period_s, "more than 0")

    @property
    def peak(self) -> float:
        """The highest relative rate."""
        return 1 + self.depth

    def relative(self, times_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the relative rate at each time, (n,)."""
        return 1 + self.depth * np.sin(times_s * (2 * math.pi / self.period_s))


@dataclass(frozen=True, kw_only=True)
class Bursts:
    """A Poisson process modulated by two states whose durations are exponential.

    Attributes:
        factor: rate of a burst by that of the calm.
        burst_s: mean seconds of a burst.
        calm_s: mean seconds between bursts.
    """

    factor: float
    burst_s: float
    calm_s: float

    def __post_init__(self) -> None:
        if not 1 <= self.factor < math.inf:
            raise ConfigError("--shape bursts: FACTOR", self.factor, "at least 1")
        for name in ("burst_s", "calm_s"):
            if not _SHORTEST_S <= getattr(self, name) < math.inf:
                expected = f"seconds, at least {_SHORTEST_S:g}"
                raise ConfigError(f"--shape bursts: {name.upper()}", getattr(self, name), expected)

    @property
    def burst_share(self) -> float:
        """Share of the time that is a burst, on average."""
        return self.burst_s / (self.burst_s + self.calm_s)

    @property
    def calm(self) -> float:
        """Relative rate of the calm; with it the mean over both states is 1."""
        return 1 / (1 + self.burst_share * (self.factor - 1))

    @property
    def peak(self) -> float:
        """Relative rate of a burst."""
        return self.calm * self.factor

    def relative(self, times_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the relative rate at each time, (n,), along one random path of states."""
        is_burst_first = rng.random() < self.burst_share
        means = (self.burst_s, self.calm_s) if is_burst_first else (self.calm_s, self.burst_s)
        pieces: list[NDArray[np.float64]] = []
        end, last = 0.0, float(times_s[-1]) if len(times_s) else 0.0
        while end <= last:
            pairs = rng.exponential(means, size=(1024, 2)).reshape(-1)
            pieces.append(np.cumsum(pairs) + end)
            end = float(pieces[-1][-1])
        is_second = np.searchsorted(np.concatenate(pieces), times_s, side="right") % 2 == 1
        return np.where(is_second != is_burst_first, self.peak, self.calm)


def parse_shape(text: str) -> RateShape:
    """Read ``constant``, ``diurnal:0.5,60`` or ``bursts:4,1,9``.

    Raises:
        ConfigError: it is none of these, or a number is out of range.
    """
    name, _, rest = text.partition(":")
    try:
        numbers = [float(part) for part in rest.split(",")] if rest else []
    except ValueError:
        numbers = [math.nan]
    if name == "constant" and not numbers:
        return Constant()
    if name == "diurnal" and len(numbers) == 2:
        return Diurnal(depth=numbers[0], period_s=numbers[1])
    if name == "bursts" and len(numbers) == 3:
        return Bursts(factor=numbers[0], burst_s=numbers[1], calm_s=numbers[2])
    raise ConfigError("--shape", text, _EXPECTED)
