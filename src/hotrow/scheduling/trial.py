"""What a search asks to be measured, and what it is told: searches are generators that know no engine.

A search yields a ``Trial`` and is sent its ``Outcome``; so the same code is driven by a simulator, by an
engine in the process, or by load against a server, and several searches can be measured in turns. Who
measures answers for three things: arrivals are open loop with exponential gaps, latencies count from the
scheduled arrival, and queries of the warm-up do not count. A trial of an infinite rate is a burst.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hotrow.scheduling.knobs import Knobs

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A measurement to be made.

    Attributes:
        knobs: to be set before.
        rate_qps: mean rate of the Poisson arrivals, queries per second; infinite: of a burst, whose queries
            all wait from the start and are sent as soon as there is room for them.
        queries: how many to measure.
        warm_up: how many to send before these, at the same rate.
        stop_at_violations: with so many queries later than the SLA the verdict is certain, and the
            measurement may stop and drop what is under way. A query that is not answered yet is late
            as soon as the SLA has passed since its arrival.
        phase: what it is for, as told to people: "static 25", "batch size", ...
        most_seconds: of a burst: what is not answered by then is dropped.
    """

    knobs: Knobs
    rate_qps: float
    queries: int
    warm_up: int
    stop_at_violations: int
    phase: str
    most_seconds: float = math.inf

    @property
    def is_burst(self) -> bool:
        """Whether all queries come at once."""
        return math.isinf(self.rate_qps)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was measured.

    Attributes:
        latencies_ms: (Q,) from scheduled arrival to the whole answer; infinite for a query that was shed,
            failed, or not complete when the measurement stopped. Fewer than were asked for only if it
            stopped at ``stop_at_violations``.
        rows: of all these queries together.
        seconds: that the measurement took, from its start until nothing of it was under way any more.
    """

    latencies_ms: NDArray[np.floating]
    rows: int
    seconds: float

    def count_violations(self, sla_ms: float) -> int:
        """Return how many queries were later than the SLA."""
        return int(np.count_nonzero(~(self.latencies_ms <= sla_ms)))


Steps = Generator[Trial, Outcome, Result]
"""A search that yields trials, is sent outcomes, and returns its result."""


def drive(steps: Steps[Result], measure: Callable[[Trial], Outcome]) -> Result:
    """Run a search to its end."""
    try:
        trial = next(steps)
        while True:
            trial = steps.send(measure(trial))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        steps.close()


async def drive_async(steps: Steps[Result], measure: Callable[[Trial], Awaitable[Outcome]]) -> Result:
    """Run a search to its end, awaiting each measurement."""
    try:
        trial = next(steps)
        while True:
            trial = steps.send(await measure(trial))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        steps.close()


def in_turns(searches: dict[str, Steps[Result]]) -> Steps[dict[str, Result]]:
    """Run searches side by side, one trial of each in turn, so that a slow spell of the machine meets all."""
    results: dict[str, Result] = {}
    waiting: dict[str, Outcome | None] = dict.fromkeys(searches)
    try:
        while waiting:
            for name, outcome in list(waiting.items()):
                try:
                    trial = next(searches[name]) if outcome is None else searches[name].send(outcome)
                except StopIteration as end:
                    results[name] = end.value
                    del waiting[name]
                else:
                    waiting[name] = yield trial
    finally:
        for steps in searches.values():
            steps.close()
    return {name: results[name] for name in searches}
