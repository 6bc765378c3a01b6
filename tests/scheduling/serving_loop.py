"""A simulated server whose knobs an adapter moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hotrow.scheduling.adapt import AdaptConfig, Adapter, Window
from hotrow.scheduling.admission import AdmissionConfig, decide, predict
from hotrow.scheduling.forecast import Machine
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.ladder import batch_ladder
from hotrow.scheduling.service_time import LinearTime, ServiceTimeEstimator
from hotrow.scheduling.simulate import Fate, Simulator
from hotrow.scheduling.split import piece_sizes

WINDOW_MS = 1000.0


@dataclass
class Loop:
    """Serves windows of Poisson load and shows them to the adapter as a server would.

    Attributes:
        workers: W.
        service: time of a sub-batch.
        sizes: rows of queries.
        start: knobs to begin with.
        seed: of the load.
        target_ms: queries that would be later are refused.
        refused: share of the queries of each window that were.
    """

    workers: int
    service: Callable[[int], float]
    sizes: Sequence[int]
    start: Knobs
    seed: int = 0
    target_ms: float = math.inf
    tails_ms: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.adapter = Adapter(self.start, AdaptConfig(batch_sizes=tuple(batch_ladder(max(self.sizes)))))
        self.system = Simulator(self.workers, self.serve)
        self.estimator = ServiceTimeEstimator(LinearTime(1.0, 0.05))
        self.rng = np.random.default_rng(self.seed)
        self.now = 0.0

    def serve(self, rows: int) -> float:
        ms = self.service(rows) * self.rng.lognormal(0, 0.05)
        self.estimator.observe(rows, ms)
        return ms

    def run(self, windows: int, rate_qps: float) -> list[Knobs]:
        """Return the knobs after each window."""
        return [self._window(rate_qps) for _ in range(windows)]

    def _offer(self, at: float, rows: int) -> Fate | None:
        knobs, backlog = self.adapter.knobs, self.system.backlog(at)
        time, config = self.estimator.fitted, AdmissionConfig(max_rows=1 << 30, target_ms=self.target_ms)
        prediction = predict(rows, backlog, time, workers=self.workers, batch_size=knobs.batch_size)
        if not decide(rows, backlog, prediction, config).admitted:
            return None
        return self.system.offer(at, rows, knobs)

    def _window(self, rate_qps: float) -> Knobs:
        busy = self.system.busy_ms
        fates: list[Fate | None] = []
        count = self.rng.poisson(rate_qps * WINDOW_MS / 1000)
        arrivals = self.now + WINDOW_MS * np.sort(self.rng.random(count))
        drawn = self.rng.choice(np.asarray(self.sizes), count)
        for at, rows in zip(arrivals.tolist(), drawn.tolist(), strict=True):
            fates.append(self._offer(at, rows))
        self.system.backlog(self.now)
        self.now += WINDOW_MS
        latencies = np.array([fate.latency_ms for fate in fates if fate is not None] or [0.0])
        admitted = np.array([fate is not None for fate in fates])
        self.refused.append(1 - float(admitted.mean()))
        self.tails_ms.append(float(np.quantile(latencies, 0.95)))
        window = Window(
            seconds=WINDOW_MS / 1000,
            sizes=drawn.astype(np.int64),
            admitted=admitted,
            latency_ms=float(latencies.mean()),
            utilisation=min((self.system.busy_ms - busy) / WINDOW_MS / self.workers, 1.0),
        )
        self.adapter.observe(window, Machine(self.workers, self.estimator.fitted))
        return self.adapter.knobs


def capacity_qps(batch: int, workers: int, service: Callable[[int], float], sizes: Sequence[int]) -> float:
    """Return the rate that would keep all workers busy."""
    work = np.mean([sum(service(piece) for piece in piece_sizes(size, batch)) for size in sizes])
    return float(1000 * workers / work)
