"""A system whose highest rate at every setting is known, to be searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Outcome, Trial

SLA_MS = 10.0
ROWS = 270
"""Of every query."""
SUSTAINED = 1.25


@dataclass
class Planted:
    """Queries are late independently; at its capacity a setting has exactly the permitted share late.

    A burst is answered at 1.25 times that rate.

    Attributes:
        capacity: queries per second of a setting.
        allowed: share of queries that may be late.
        rng: None: no noise, the late share of any measurement is 0 or 1.
        slow: numbers of measurements that meet a slow machine and fail whatever the rate.
        trials: asked so far.
    """

    capacity: Callable[[Knobs], float]
    allowed: float = 0.05
    rng: np.random.Generator | None = None
    slow: frozenset[int] = frozenset()
    trials: list[Trial] = field(default_factory=list)

    def measure(self, trial: Trial) -> Outcome:
        capacity = max(self.capacity(trial.knobs), 1e-9)
        if trial.is_burst:
            return self._burst(trial, SUSTAINED * capacity)
        load = trial.rate_qps / capacity
        if self.rng is None:
            late = np.full(trial.queries, load > 1)
        else:
            late = self.rng.random(trial.queries) < min(self.allowed * load**12, 1)
        late |= len(self.trials) in self.slow
        self.trials.append(trial)
        over = np.flatnonzero(np.cumsum(late) >= trial.stop_at_violations)
        late = late[: over[0] + 1] if over.size else late
        latencies = np.where(late, 2 * SLA_MS, SLA_MS / 2)
        seconds = (late.size + trial.warm_up) / trial.rate_qps
        return Outcome(latencies_ms=latencies, rows=ROWS * late.size, seconds=seconds)

    def _burst(self, trial: Trial, rate_qps: float) -> Outcome:
        self.trials.append(trial)
        done_s = np.arange(1, trial.queries + 1) / rate_qps
        return Outcome(
            latencies_ms=np.where(done_s <= trial.most_seconds, done_s * 1e3, np.inf),
            rows=ROWS * trial.queries,
            seconds=min(float(done_s[-1]), trial.most_seconds),
        )


def hill(top: float, batch: int) -> Callable[[Knobs], float]:
    """Return a capacity that falls on both sides of a batch size."""
    return lambda knobs: top / (1 + 0.5 * abs(np.log2(knobs.batch_size / batch)))
