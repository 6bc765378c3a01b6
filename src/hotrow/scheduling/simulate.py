"""An exact simulator of workers behind one queue, and of an accelerator behind another.

Sub-batches wait in one queue, first come first served, for W workers that are alike; queries at or above
the threshold wait whole in a queue of their own for the accelerator. In such a system nothing that comes
later changes when something starts, so the whole fate of a query is known when it arrives: each of its
sub-batches starts when the worker that is free first is free. No events need to be scheduled, and there
is no approximation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

from hotrow.scheduling.admission import Backlog
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.split import piece_sizes

ServiceTime = Callable[[int], float]
"""Milliseconds that so many rows take; may draw at random."""


@dataclass(frozen=True)
class Linear:
    """Service time ``overhead_ms + row_ms * rows``."""

    overhead_ms: float
    row_ms: float

    def __call__(self, rows: int) -> float:
        """Return the milliseconds that so many rows take."""
        return self.overhead_ms + self.row_ms * rows


@dataclass(frozen=True)
class Fate:
    """What became of a query.

    Attributes:
        arrival_ms: when it came.
        rows: of it.
        start_ms: when its first part began; infinite if none did.
        finish_ms: when it was complete; infinite if it expired: a part of it had not begun at its
            deadline.
        offloaded: whether it went to the accelerator.
    """

    arrival_ms: float
    rows: int
    start_ms: float
    finish_ms: float
    offloaded: bool

    @property
    def latency_ms(self) -> float:
        """From arrival to completion; infinite if it expired."""
        return self.finish_ms - self.arrival_ms


class Simulator:
    """Workers and an accelerator in simulated time.

    Args:
        workers: W, at least 1.
        service: time of a sub-batch on a worker. It may be replaced at any moment, for what arrives later.
        accelerator: time of a whole query on the accelerator; None: there is none.
    """

    def __init__(self, workers: int, service: ServiceTime, accelerator: ServiceTime | None = None) -> None:
        if workers < 1:
            raise ValueError(f"got {workers} workers, expected at least 1")
        self.service = service
        self.accelerator = accelerator
        self.busy_ms = 0.0
        """Work that workers have been given."""
        self.accelerator_busy_ms = 0.0
        """Work that the accelerator has been given."""
        self._free = [0.0] * workers
        self._accelerator_free = 0.0
        self._now = 0.0
        self._unfinished: list[tuple[float, int]] = []
        self._accelerator_unfinished: list[tuple[float, int]] = []

    def offer(self, at_ms: float, rows: int, knobs: Knobs, deadline_ms: float = math.inf) -> Fate:
        """Let a query arrive and return its fate.

        Args:
            at_ms: when; not before the one offered last.
            rows: of the query, at least 1.
            knobs: how it is cut and whether it is offloaded.
            deadline_ms: after arrival; parts that would begin later do not run.

        Raises:
            ValueError: it arrives before the query before it, or is offloaded and there is no accelerator.
        """
        if at_ms < self._now:
            raise ValueError(f"a query at {at_ms} ms came after one at {self._now} ms")
        self._now = at_ms
        if knobs.offloads(rows):
            return self._offload(at_ms, rows, at_ms + deadline_ms)
        return self._spread(at_ms, rows, knobs.batch_size, at_ms + deadline_ms)

    def backlog(self, at_ms: float, *, offloaded: bool = False) -> Backlog:
        """Return what is queued or running on one side, at a moment not before the last arrival."""
        unfinished = self._accelerator_unfinished if offloaded else self._unfinished
        while unfinished and unfinished[0][0] <= at_ms:
            heappop(unfinished)
        return Backlog(rows=sum(rows for _, rows in unfinished), pieces=len(unfinished))

    def _spread(self, at_ms: float, rows: int, batch_size: int, expiry_ms: float) -> Fate:
        first, last = math.inf, at_ms
        for size in piece_sizes(rows, batch_size):
            start = max(at_ms, self._free[0])
            if start > expiry_ms:
                last = math.inf  # and so would all the pieces after it
                break
            took = self.service(size)
            self.busy_ms += took
            heapreplace(self._free, start + took)
            heappush(self._unfinished, (start + took, size))
            first, last = min(first, start), max(last, start + took)
        return Fate(at_ms, rows, first, last, offloaded=False)

    def _offload(self, at_ms: float, rows: int, expiry_ms: float) -> Fate:
        if self.accelerator is None:
            raise ValueError(f"a query of {rows} rows is to be offloaded, but there is no accelerator")
        start = max(at_ms, self._accelerator_free)
        if start > expiry_ms:
            return Fate(at_ms, rows, math.inf, math.inf, offloaded=True)
        took = self.accelerator(rows)
        self.accelerator_busy_ms += took
        self._accelerator_free = start + took
        heappush(self._accelerator_unfinished, (start + took, rows))
        return Fate(at_ms, rows, start, start + took, offloaded=True)
