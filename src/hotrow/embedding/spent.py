"""Where the time of tables goes: to lookups, or to steps of their optimizer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hotrow.embedding.optimizer import FusedOptimizer
from hotrow.kernels.embedding_bag import Update


@dataclass
class Spent:
    """Time of the calling threads, in seconds, since the tables were made; compiled lookups are not counted.

    Attributes:
        lookup: of lookups, forward.
        update: of steps of the fused optimizer, most of them within backward.
    """

    lookup: float = 0.0
    update: float = 0.0


class TimedStep:
    """One step of the fused optimizer, whose time is counted.

    Args:
        optimizer: whose step it is.
        spent: where it is counted.
    """

    def __init__(self, optimizer: FusedOptimizer, spent: Spent) -> None:
        self._optimizer = optimizer
        self._spent = spent
        self._started = 0.0

    def begin(self) -> Update:
        """Return the step; the time runs from now on."""
        self._started = time.perf_counter()
        return self._optimizer.update()

    def end(self) -> None:
        """Note that the step was taken."""
        self._optimizer.count_step()
        self._spent.update += time.perf_counter() - self._started
