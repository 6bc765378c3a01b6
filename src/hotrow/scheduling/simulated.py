"""Measurements of a simulated system under Poisson load, for studies and tests of the searches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotrow.scheduling.simulate import ServiceTime, Simulator
from hotrow.scheduling.trial import Outcome, Trial

DisturbedBy = Callable[[int], float]
"""Factor on service times in the n-th measurement: the weather of a shared machine."""


@dataclass(kw_only=True)
class SimulatedSystem:
    """Answers trials as an engine would, each from an empty start.

    Attributes:
        workers: W.
        service: time of a sub-batch on a worker.
        sizes: (Q,) rows of queries, drawn from with replacement.
        rng: of arrivals and sizes.
        sla_ms: for stopping early.
        accelerator: time of a whole query on the accelerator, if there is one.
        disturbed_by: a factor on service times.
        count: trials answered.
    """

    workers: int
    service: ServiceTime
    sizes: Sequence[int]
    rng: np.random.Generator
    sla_ms: float
    accelerator: ServiceTime | None = None
    disturbed_by: DisturbedBy = lambda number: 1.0
    count: int = 0

    def measure(self, trial: Trial) -> Outcome:
        """Simulate one trial."""
        slow = self.disturbed_by(self.count)
        self.count += 1
        system = Simulator(self.workers, lambda rows: slow * self.service(rows), self.accelerator)
        arrivals = np.cumsum(self.rng.exponential(1000 / trial.rate_qps, trial.queries + trial.warm_up))
        rows = self.rng.choice(np.asarray(self.sizes), arrivals.size)
        if trial.is_burst:
            return _burst(system, rows, trial)
        latencies: list[float] = []
        late = 0
        for number, (at_ms, size) in enumerate(zip(arrivals.tolist(), rows.tolist(), strict=True)):
            fate = system.offer(at_ms, size, trial.knobs)
            if number >= trial.warm_up:
                latencies.append(fate.latency_ms)
                late += fate.latency_ms > self.sla_ms
            if late >= trial.stop_at_violations:
                break
        counted = rows[trial.warm_up : trial.warm_up + len(latencies)]
        return Outcome(
            latencies_ms=np.array(latencies), rows=int(counted.sum()), seconds=float(arrivals[number]) / 1000
        )


def _burst(system: Simulator, rows: NDArray[np.int64], trial: Trial) -> Outcome:
    finish_ms = np.array([system.offer(0.0, size, trial.knobs).finish_ms for size in rows.tolist()])
    most_ms = 1000 * trial.most_seconds
    return Outcome(
        latencies_ms=np.where(finish_ms <= most_ms, finish_ms, np.inf),
        rows=int(rows.sum()),
        seconds=min(float(finish_ms.max()), most_ms) / 1000,
    )
