"""What a load run sends and when, decided before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import ConfigError
from hotrow.load.arrivals import poisson_arrivals, uniform_arrivals
from hotrow.load.shapes import Constant, RateShape, parse_shape
from hotrow.load.sizes import MAX_CANDIDATES, Sizes, parse_sizes

MAX_SECONDS = 3600.0
MAX_QUERIES = 20_000_000

ArrivalLaw = Literal["poisson", "uniform", "trace"]

_ARRIVALS, _SIZES = 1, 2  # streams of random numbers, so that sizes do not depend on how many arrive


@dataclass(frozen=True, kw_only=True)
class LoadConfig:
    """What load to make; texts as ``hotrow load`` takes them.

    Attributes:
        qps: mean rate, queries per second. None takes a trace's own arrivals; with one, they are
            stretched to this rate.
        seconds: how long queries are sent and measured.
        warmup_seconds: how long queries are sent before that, at the same rate; they are not counted.
        sizes: candidates of a query, see ``parse_sizes``.
        max_size: larger queries are clipped to this.
        arrivals: ``poisson``, ``uniform`` (equal gaps), or ``trace``.
        shape: of the rate over time, see ``parse_shape``; for Poisson arrivals.
        seed: equal ones give equal schedules and contents.
    """

    qps: float | None = None
    seconds: float = 30.0
    warmup_seconds: float = 0.0
    sizes: str = "mlperf"
    max_size: int = MAX_CANDIDATES
    arrivals: ArrivalLaw = "poisson"
    shape: str = "constant"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.qps is not None and not 0 < self.qps <= 1e6:
            raise ConfigError("--qps", self.qps, "more than 0 and at most 1,000,000")
        if not 0 < self.seconds <= MAX_SECONDS:
            raise ConfigError("--seconds", self.seconds, f"more than 0 and at most {MAX_SECONDS:.0f}")
        if not 0 <= self.warmup_seconds <= MAX_SECONDS:
            raise ConfigError("--warmup-s", self.warmup_seconds, f"0 to {MAX_SECONDS:.0f}")
        if self.seed < 0:
            raise ConfigError("--seed", self.seed, "at least 0")


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """The queries of a run, in order of arrival.

    Attributes:
        arrivals_s: (n,) float64 seconds since the start, ascending.
        sizes: (n,) int64 candidates.
        seconds: of the run, the warm-up included.
        warmup_seconds: queries that arrive before this are not counted.
        first: number of the first query in the whole run.
        step: by how much the numbers of successive queries differ; the numbers decide the contents.
    """

    arrivals_s: NDArray[np.float64]
    sizes: NDArray[np.int64]
    seconds: float
    warmup_seconds: float = 0.0
    first: int = 0
    step: int = 1

    def __len__(self) -> int:
        return len(self.arrivals_s)

    def number(self, index: int) -> int:
        """Return the number in the whole run of the query at ``index``."""
        return self.first + index * self.step

    def part(self, index: int, count: int) -> Schedule:
        """Return every ``count``-th query from ``index`` on.

        The parts together are the same arrivals, whatever their law: bursts stay bursts, and what several
        processes send is exactly what one would have sent.
        """
        return Schedule(
            arrivals_s=self.arrivals_s[index::count],
            sizes=self.sizes[index::count],
            seconds=self.seconds,
            warmup_seconds=self.warmup_seconds,
            first=self.first + index * self.step,
            step=self.step * count,
        )


def make_schedule(config: LoadConfig) -> Schedule:
    """Draw arrivals and sizes: a pure function of the configuration (and of its trace file).

    Raises:
        ConfigError: fields that do not go together, too many queries, or none.
        MissingFileError: there is no such trace.
        DataError: the trace cannot be used.
    """
    sizes, shape = parse_sizes(config.sizes, most=config.max_size), parse_shape(config.shape)
    seconds = config.warmup_seconds + config.seconds
    if config.qps is not None and config.qps * seconds > MAX_QUERIES:
        raise ConfigError("--qps", config.qps, f"at most {MAX_QUERIES:,} queries in {seconds:g} seconds")
    arrivals = _arrivals(config, sizes, shape, seconds)
    if not len(arrivals):
        raise ConfigError("--seconds", config.seconds, "long enough for one query to arrive")
    rng = np.random.default_rng((config.seed, _SIZES))
    return Schedule(
        arrivals_s=arrivals,
        sizes=sizes.draw(rng, len(arrivals)),
        seconds=_end(arrivals, sizes, seconds) if config.arrivals == "trace" else seconds,
        warmup_seconds=config.warmup_seconds,
    )


def schedule_queries(qps: float, queries: int, *, warm_up: int, sizes: Sizes, seed: int) -> Schedule:
    """Draw Poisson arrivals of a number of queries, instead of a time.

    Args:
        qps: rate.
        queries: that count, at least 1.
        warm_up: queries before these.
        sizes: of all of them.
        seed: decides both.
    """
    total = warm_up + queries
    gaps = np.random.default_rng((seed, _ARRIVALS)).exponential(1 / qps, total)
    arrivals = np.cumsum(gaps)
    return Schedule(
        arrivals_s=arrivals,
        sizes=sizes.draw(np.random.default_rng((seed, _SIZES)), total),
        seconds=float(arrivals[-1]) + 1 / qps,
        warmup_seconds=float(arrivals[warm_up]) if warm_up else 0.0,
    )


def _arrivals(config: LoadConfig, sizes: Sizes, shape: RateShape, seconds: float) -> NDArray[np.float64]:
    if config.arrivals != "poisson" and not isinstance(shape, Constant):
        raise ConfigError("--shape", config.shape, f"constant with {config.arrivals} arrivals")
    if config.arrivals == "trace":
        return _trace_arrivals(config, sizes, seconds)
    if config.qps is None:
        raise ConfigError("--qps", None, "a rate, in queries per second")
    if config.arrivals == "uniform":
        return uniform_arrivals(config.qps, seconds)
    return poisson_arrivals(config.qps, seconds, shape, np.random.default_rng((config.seed, _ARRIVALS)))


def _trace_arrivals(config: LoadConfig, sizes: Sizes, seconds: float) -> NDArray[np.float64]:
    trace = sizes.trace
    if trace is None or trace.arrivals_s is None:
        raise ConfigError("--arrivals", "trace", "--sizes trace:FILE with ARRIVAL,SIZE on every line")
    arrivals = trace.arrivals_s
    if config.qps is not None:
        span = float(arrivals[-1])
        if span == 0:
            raise ConfigError("--qps", config.qps, f"none: all queries of {trace.path} arrive at once")
        arrivals = arrivals * ((len(arrivals) - 1) / config.qps / span)
    arrivals = arrivals[: np.searchsorted(arrivals, seconds)]
    if len(arrivals) > MAX_QUERIES:
        raise ConfigError("--sizes", config.sizes, f"at most {MAX_QUERIES:,} queries")
    return arrivals


def _end(arrivals: NDArray[np.float64], sizes: Sizes, seconds: float) -> float:
    """Return when a run of a trace is over: where the trace ends before, a mean gap after its last query."""
    n = len(arrivals)
    assert sizes.trace is not None
    if n < len(sizes.trace.sizes) or n < 2:
        return seconds
    return min(seconds, float(arrivals[-1]) * n / (n - 1)) or seconds
