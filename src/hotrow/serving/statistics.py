"""What was asked of the server and what became of it, counted since its start.

Plain numbers that the front process's event loop alone writes: a request costs a few additions.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Literal

from hotrow.errors import RequestError
from hotrow.serving.engine.request import Scores

Reason = Literal["REJECTED", "TIMEOUT", "CANCELED", "BACKEND", "OTHER"]
"""Why a request failed: shed, too late, given up by its client, a defect, wrong; as far as Triton has them,
in its words."""

REASONS: tuple[Reason, ...] = ("REJECTED", "TIMEOUT", "CANCELED", "BACKEND", "OTHER")

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
"""Upper bounds of the buckets of latencies, in seconds; above the last one is another."""

_BY_STATUS: dict[int, Reason] = {503: "REJECTED", 504: "TIMEOUT", 499: "CANCELED"}


@dataclass(slots=True)
class Spent:
    """How often something happened and how long it took together.

    Attributes:
        count: times.
        seconds: all of them together.
    """

    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.count += 1
        self.seconds += seconds


@dataclass(slots=True)
class Statistics:
    """Counts since the server's start.

    Attributes:
        success: requests that were answered.
        queue: their time until the first work on them began.
        compute: work of all workers on them.
        fail: requests that were not answered, by reason.
        rows: of those that were answered.
        latencies: how many of them took at most as long as each of ``BOUNDS`` and longer than the one before.
        last: when the last one was answered, in seconds since 1970; 0: none was.
    """

    success: Spent = field(default_factory=Spent)
    queue: Spent = field(default_factory=Spent)
    compute: Spent = field(default_factory=Spent)
    fail: dict[Reason, Spent] = field(default_factory=lambda: {reason: Spent() for reason in REASONS})
    rows: int = 0
    latencies: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    last: float = 0.0

    def answered(self, scores: Scores, seconds: float, now: float) -> None:
        """Count a request that was answered.

        Args:
            scores: of its rows.
            seconds: that it took.
            now: seconds since 1970.
        """
        self.success.add(seconds)
        self.queue.add(scores.queued_seconds)
        self.compute.add(scores.work_seconds)
        self.rows += len(scores.values)
        self.latencies[bisect_left(BOUNDS, seconds)] += 1
        self.last = now

    def failed(self, reason: Reason, seconds: float) -> None:
        """Count a request that was not."""
        self.fail[reason].add(seconds)


def reason_of(error: BaseException) -> Reason:
    """Return why a request failed."""
    if isinstance(error, RequestError):
        return _BY_STATUS.get(error.status, "OTHER")
    return "CANCELED" if isinstance(error, asyncio.CancelledError) else "BACKEND"
