"""What the server did in each of its last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hotrow.serving.live.histogram import LatencyHistogram
from hotrow.serving.statistics import Reason

KEPT_SECONDS = 180
RECENT_SECONDS = 10
"""Over which the figures at the top of the page are taken: one second has too few requests for a p99."""

_SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


@dataclass(frozen=True, slots=True)
class Gauges:
    """How things stand at a moment.

    Attributes:
        waiting_rows: rows whose work was not begun.
        in_flight: requests that were not answered yet.
        workers: that run, on the CPU.
        devices: workers on devices that run.
        restarts: workers that were replaced.
        batch_size: rows of a sub-batch at most.
        offload_threshold: rows from which on a query goes to the accelerator; None: there is none.
        memory_bytes: shared memory in use.
    """

    waiting_rows: int = 0
    in_flight: int = 0
    workers: int = 0
    devices: int = 0
    restarts: int = 0
    batch_size: int = 0
    offload_threshold: int | None = None
    memory_bytes: int = 0


@dataclass(slots=True)
class Second:
    """What happened in about a second.

    Attributes:
        latencies: of the requests that were answered.
        rows: of them.
        shed: requests that were refused for there were too many.
        failed: requests that failed for other reasons.
        seconds: how long it really was.
        gauges: at its end.
    """

    latencies: LatencyHistogram = field(default_factory=LatencyHistogram)
    rows: int = 0
    shed: int = 0
    failed: int = 0
    seconds: float = 1.0
    gauges: Gauges = field(default_factory=Gauges)


class LastSeconds:
    """The last seconds; time passes when it is told so."""

    def __init__(self) -> None:
        self._now = Second()
        self._past: deque[Second] = deque(maxlen=KEPT_SECONDS)

    def answered(self, rows: int, seconds: float) -> None:
        """Count a request that was answered after so many seconds."""
        self._now.latencies.add(seconds)
        self._now.rows += rows

    def failed(self, reason: Reason) -> None:
        """Count a request that was not answered."""
        if reason == "REJECTED":
            self._now.shed += 1
        else:
            self._now.failed += 1

    def tick(self, seconds: float, gauges: Gauges) -> None:
        """Begin another second; the one that ends took so many seconds."""
        self._now.seconds, self._now.gauges = seconds, gauges
        self._past.append(self._now)
        self._now = Second()

    def described(self) -> dict[str, Any]:
        """Return all seconds as lists, the oldest first, and figures of the most recent ones."""
        recent = list(self._past)[-RECENT_SECONDS:]
        return {
            "recent": {name: value(_sum(recent)) for name, value in _COLUMNS.items()},
            "seconds": {name: [value(second) for second in self._past] for name, value in _COLUMNS.items()},
        }


def _sum(seconds: list[Second]) -> Second:
    return Second(
        LatencyHistogram(second.latencies for second in seconds),
        sum(second.rows for second in seconds),
        sum(second.shed for second in seconds),
        sum(second.failed for second in seconds),
        sum(second.seconds for second in seconds) or 1.0,
        seconds[-1].gauges if seconds else Gauges(),
    )


def _rate(count: Callable[[Second], int]) -> Callable[[Second], float]:
    return lambda second: round(count(second) / second.seconds, 2)


def _percentile(share: float) -> Callable[[Second], float | None]:
    def milliseconds(second: Second) -> float | None:
        found = second.latencies.quantile(share)
        return None if found is None else round(found * 1e3, 3)

    return milliseconds


_COLUMNS: dict[str, Callable[[Second], Any]] = {
    "requests_per_second": _rate(lambda second: second.latencies.count),
    "rows_per_second": _rate(lambda second: second.rows),
    "shed_per_second": _rate(lambda second: second.shed),
    "failed_per_second": _rate(lambda second: second.failed),
    **{name: _percentile(share) for name, share in _SHARES.items()},
    "waiting_rows": lambda second: second.gauges.waiting_rows,
    "in_flight": lambda second: second.gauges.in_flight,
    "workers": lambda second: second.gauges.workers,
    "devices": lambda second: second.gauges.devices or None,
    "restarts": lambda second: second.gauges.restarts,
    "batch_size": lambda second: second.gauges.batch_size,
    "offload_threshold": lambda second: second.gauges.offload_threshold,
    "memory_bytes": lambda second: second.gauges.memory_bytes,
}
