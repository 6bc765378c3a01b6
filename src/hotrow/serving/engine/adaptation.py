"""The batch size follows load and interference while the engine runs: ``hotrow.scheduling.adapt``, fed."""

from __future__ import annotations

import numpy as np

from hotrow.scheduling.adapt import AdaptConfig, Adapter, Move, Window
from hotrow.scheduling.forecast import Machine
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.ladder import batch_ladder
from hotrow.scheduling.service_time import LinearTime

LARGEST_BATCH = 1024


class Adaptation:
    """Gathers what happens between two ticks, and moves the batch size at most one rung a tick.

    Args:
        batch_size: to begin with.
    """

    def __init__(self, batch_size: int) -> None:
        self._ladder = tuple(batch_ladder(LARGEST_BATCH))
        self._adapter = Adapter(Knobs(batch_size), AdaptConfig(batch_sizes=self._ladder))
        self._largest = 0
        self._sizes: list[int] = []
        self._admitted: list[bool] = []
        self._latency_s: list[float] = []
        self._busy_s = 0.0

    @property
    def moves(self) -> list[Move]:
        """Steps that were taken so far."""
        return self._adapter.moves

    def arrived(self, rows: int, *, admitted: bool) -> None:
        """Note a query, one that is refused for what is before it too: it should have been borne."""
        self._sizes.append(rows)
        self._admitted.append(admitted)

    def answered(self, seconds: float) -> None:
        """Note a query's latency."""
        self._latency_s.append(seconds)

    def worked(self, seconds: float) -> None:
        """Note what a worker spent on a sub-batch."""
        self._busy_s += seconds

    def tick(self, seconds: float, time: LinearTime, workers: int) -> int:
        """Look at what happened since the last tick and return the batch size from now on.

        Args:
            seconds: since the last tick.
            time: of a sub-batch, as known now.
            workers: that run.
        """
        window = Window(
            seconds=seconds,
            sizes=np.array(self._sizes, dtype=np.int64),
            latency_ms=float(np.mean(self._latency_s)) * 1e3 if self._latency_s else 0.0,
            utilisation=min(self._busy_s / (seconds * workers), 1.0),
            admitted=np.array(self._admitted, dtype=np.bool_),
        )
        self._largest = max([self._largest, *self._sizes])
        self._sizes, self._admitted, self._latency_s, self._busy_s = [], [], [], 0.0
        self._step_off_the_plateau()
        self._adapter.observe(window, Machine(workers, time))
        return self._adapter.knobs.batch_size

    def _step_off_the_plateau(self) -> None:
        """Of batch sizes that no query is large enough for, all alike, take the smallest."""
        if not self._largest:
            return  # nobody has asked yet
        enough = next((rung for rung in self._ladder if rung >= self._largest), LARGEST_BATCH)
        if self._adapter.knobs.batch_size > enough:
            self._adapter.knobs = Knobs(enough)
