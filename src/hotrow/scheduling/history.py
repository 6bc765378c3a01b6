"""Everything a search measured, in order, and what it may still spend."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.scheduling.tail import Verdict
from hotrow.scheduling.trial import Outcome, Steps, Trial


@dataclass(frozen=True, kw_only=True)
class Step:
    """One measurement.

    Attributes:
        number: from 0.
        phase: what it was for.
        batch_size: knob.
        offload_threshold: knob.
        rate_qps: of arrivals, queries per second; of a burst, at which it was answered.
        queries: measured.
        violations: of them later than the SLA.
        verdict: after it, on all queries at these knobs and this rate since the question was asked; "burst":
            all came at once, to see how fast they are answered, and their latencies tell nothing.
        items_per_second: rows offered per second: rate times mean size.
        p50_ms: median latency; None if it is that of a query without an answer, or of a burst.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        seconds: that it took.
    """

    number: int
    phase: str
    batch_size: int
    offload_threshold: int | None
    rate_qps: float
    queries: int
    violations: int
    verdict: Verdict | Literal["burst"]
    items_per_second: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return asdict(self)


Percentiles = tuple[float | None, float | None, float | None]

OnStep = Callable[[Step], None]


class BudgetSpentError(Exception):
    """The next measurement does not fit into what may be spent."""


class History:
    """Records measurements and refuses those that do not fit into the budget.

    Args:
        budget_s: seconds of measuring in all.
        on_step: called after each measurement.
    """

    def __init__(self, budget_s: float = math.inf, on_step: OnStep | None = None) -> None:
        self.budget_s = budget_s
        self.limit_s = budget_s
        """What may be spent by now; at most ``budget_s``. ``at_most`` lowers it for a while."""
        self.spent_s = 0.0
        self.steps: list[Step] = []
        self._on_step = on_step

    @property
    def left_s(self) -> float:
        """Seconds that may be spent by now."""
        return self.limit_s - self.spent_s

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Within the block, allow no more than so many of the seconds that are left."""
        before = self.limit_s
        self.limit_s = min(before, self.spent_s + seconds)
        try:
            yield
        finally:
            self.limit_s = before

    def measure(self, trial: Trial) -> Steps[Outcome]:
        """Ask for one measurement; a burst gets what is left of the time.

        Raises:
            BudgetSpentError: at this rate it would take longer than what is left, or nothing is left.
        """
        if (trial.warm_up + trial.queries) / trial.rate_qps > self.left_s or self.left_s <= 0:
            raise BudgetSpentError
        if trial.is_burst:
            trial = replace(trial, most_seconds=min(trial.most_seconds, self.left_s))
        outcome = yield trial
        self.spent_s += outcome.seconds
        return outcome

    def record(self, trial: Trial, outcome: Outcome, violations: int, verdict: Verdict) -> None:
        """Add a measurement with what was concluded from it."""
        self._add(trial, outcome, trial.rate_qps, violations, verdict, percentiles(outcome.latencies_ms))

    def record_burst(self, trial: Trial, outcome: Outcome, rate_qps: float) -> None:
        """Add a burst and the rate at which it was answered."""
        self._add(trial, outcome, rate_qps, 0, "burst", (None, None, None))

    def _add(
        self,
        trial: Trial,
        outcome: Outcome,
        rate_qps: float,
        violations: int,
        verdict: Verdict | Literal["burst"],
        tail_ms: Percentiles,
    ) -> None:
        queries = outcome.latencies_ms.size
        p50, p95, p99 = tail_ms
        step = Step(
            number=len(self.steps),
            phase=trial.phase,
            batch_size=trial.knobs.batch_size,
            offload_threshold=trial.knobs.offload_threshold,
            rate_qps=rate_qps,
            queries=queries,
            violations=violations,
            verdict=verdict,
            items_per_second=rate_qps * outcome.rows / max(queries, 1),
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            seconds=outcome.seconds,
        )
        self.steps.append(step)
        if self._on_step is not None:
            self._on_step(step)


def percentiles(latencies_ms: NDArray[np.floating]) -> Percentiles:
    """Return p50, p95 and p99: the smallest latency that so many queries do not exceed; None if infinite."""
    if latencies_ms.size == 0:
        return None, None, None
    values = np.quantile(latencies_ms, (0.5, 0.95, 0.99), method="inverted_cdf")
    p50, p95, p99 = (float(value) if np.isfinite(value) else None for value in values)
    return p50, p95, p99
