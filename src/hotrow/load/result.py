"""What a load run recorded, query by query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.load.query import Status

_ARRAYS = ("scheduled_s", "sent_s", "done_s", "rows", "status")


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadResult:
    """The record of a run; times are seconds since its start.

    Attributes:
        scheduled_s: (n,) float64, when each query arrived: latencies count from here.
        sent_s: (n,) float64, when it was handed to ``send``; NaN if it never was.
        done_s: (n,) float64, when its answer had come; NaN if none came.
        rows: (n,) int64, candidates.
        status: (n,) int8, of ``Status``.
        seconds: of the run, the warm-up included.
        warmup_seconds: queries that arrived before this do not count.
        stopped_s: when sending was stopped before its end, or None.
        invalid: why the run cannot be reported; empty if it can.
        first_failure: what was wrong with the first query that failed.
        cpu_seconds: processor time that the generator used.
    """

    scheduled_s: NDArray[np.float64]
    sent_s: NDArray[np.float64]
    done_s: NDArray[np.float64]
    rows: NDArray[np.int64]
    status: NDArray[np.int8]
    seconds: float
    warmup_seconds: float = 0.0
    stopped_s: float | None = None
    invalid: str = ""
    first_failure: str = ""
    cpu_seconds: float = 0.0

    @property
    def lag_s(self) -> NDArray[np.float64]:
        """By how much the generator was late with each query, (n,) seconds, NaN if unsent."""
        return self.sent_s - self.scheduled_s

    @property
    def latency_s(self) -> NDArray[np.float64]:
        """From each query's scheduled arrival to its answer, (n,) seconds, NaN if none came."""
        return self.done_s - self.scheduled_s

    @property
    def measured_seconds(self) -> float:
        """How long queries were sent that count."""
        end = self.seconds if self.stopped_s is None else min(self.stopped_s, self.seconds)
        return max(end - self.warmup_seconds, 0.0)

    def measured(self) -> LoadResult:
        """Return the queries that were sent and count: those after the warm-up."""
        kept = (self.status != Status.UNSENT) & (self.scheduled_s >= self.warmup_seconds)
        arrays: dict[str, Any] = {name: getattr(self, name)[kept] for name in _ARRAYS}
        return replace(self, **arrays)


def merge(parts: Sequence[LoadResult]) -> LoadResult:
    """Put together what ``Schedule.part(0, P) ... part(P - 1, P)`` recorded, in order of arrival.

    Args:
        parts: the P results, in order.
    """
    first = parts[0]
    total = sum(len(part.rows) for part in parts)
    arrays: dict[str, Any] = {}
    for name in _ARRAYS:
        joined = np.empty(total, dtype=getattr(first, name).dtype)
        for at, part in enumerate(parts):
            joined[at :: len(parts)] = getattr(part, name)
        arrays[name] = joined
    stops = [part.stopped_s for part in parts if part.stopped_s is not None]
    return replace(
        first,
        **arrays,
        stopped_s=min(stops, default=None),
        invalid=next((part.invalid for part in parts if part.invalid), ""),
        first_failure=next((part.first_failure for part in parts if part.first_failure), ""),
        cpu_seconds=sum(part.cpu_seconds for part in parts),
    )
