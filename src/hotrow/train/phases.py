"""What the time of training is spent on.

Phases follow one another on one thread, but for the tables: their lookups run within the forward pass and
their optimizer within the backward one, and the time of both is counted as their own.
"""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass

from hotrow.embedding.spent import Spent


@dataclass(kw_only=True)
class Phases:
    """Seconds of training, over all resumes; what is missing to its whole time is the loop's own.

    Attributes:
        load: waiting for batches.
        lookup: of rows in the tables.
        forward: the networks and the loss.
        backward: the networks' gradients.
        update: the optimizers of tables and networks.
    """

    load: float = 0.0
    lookup: float = 0.0
    forward: float = 0.0
    backward: float = 0.0
    update: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of all phases."""
        return float(sum(astuple(self)))

    def add(self, phase: str, seconds: float) -> None:
        """Count seconds of a phase."""
        setattr(self, phase, getattr(self, phase) + seconds)


class PhaseClock:
    """Counts the time of phases.

    Args:
        phases: where it is counted.
        spent: what the tables spend meanwhile.
    """

    def __init__(self, phases: Phases, spent: Spent) -> None:
        self._phases = phases
        self._spent = spent
        self.start()

    def start(self) -> None:
        """Begin a phase; what was since the last one is of none."""
        self._since = time.perf_counter()
        self._lookup, self._update = self._spent.lookup, self._spent.update

    def end(self, phase: str) -> None:
        """Count what has passed since the last phase as this one; the next begins."""
        since, lookup, update = self._since, self._lookup, self._update
        self.start()
        lookup, update = self._lookup - lookup, self._update - update
        self._phases.add("lookup", lookup)
        self._phases.add("update", update)
        self._phases.add(phase, self._since - since - lookup - update)
