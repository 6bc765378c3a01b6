"""The most that a setting can sustain, whatever the latency: a burst of queries, and how fast it is answered.

No rate above it can hold for long, so it says where the search for a rate begins and ends, and which settings
need none. A burst costs a second or less; a rate that fails costs many.
"""

from __future__ import annotations

import numpy as np

from hotrow.scheduling.history import History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Outcome, Steps, Trial

FEWEST, MOST = 24, 1 << 14
"""Queries of a burst."""

FACTOR = 4
"""By which it grows at most while it is answered too fast."""

LONG_ENOUGH_S = 0.3
MOST_S = 2.0
"""What is not answered by then is dropped; its share of the rows is known."""

WARMER = 1.05
"""What is faster than before by this factor was not warm then."""

PATIENCE_S = 64.0
"""Of a setting that answers nothing by then the capacity is 0: it is not known."""


class Capacities:
    """Capacities of settings, measured when they are first asked for.

    Args:
        mean_rows: of a query of the load. Capacities are those in rows divided by it, so that the sizes that
            a burst happens to have do not matter.
        history: where bursts are recorded, and what may be spent.

    Attributes:
        known: queries per second of each setting, the best of its bursts; 0: it answered nothing.
    """

    def __init__(self, mean_rows: float, history: History) -> None:
        self.known: dict[Knobs, float] = {}
        self._mean_rows = mean_rows
        self._history = history
        self._queries = FEWEST
        self._most_s = MOST_S
        self._doubted: set[Knobs] = set()

    @property
    def best(self) -> Knobs | None:
        """The setting with the highest capacity; None: none is known to have any."""
        return max(self.known, key=lambda knobs: self.known[knobs]) if self.best_qps > 0 else None

    @property
    def best_qps(self) -> float:
        """The highest capacity."""
        return max(self.known.values(), default=0.0)

    def of(self, knobs: Knobs, needed_qps: float = 0.0) -> Steps[float]:
        """Return the capacity of a setting; one that has less than is needed gets a second chance, once.

        Raises:
            BudgetSpentError: there is no time for a burst.
        """
        if knobs not in self.known:
            yield from self.measure(knobs)
        if self.known[knobs] < needed_qps and knobs not in self._doubted:
            self._doubted.add(knobs)
            yield from self.measure(knobs)
        return self.known[knobs]

    def warm_up(self, knobs: Knobs) -> Steps[None]:
        """Measure a setting until it gets no faster: at first, tables are not in memory and caches are cold.

        Raises:
            BudgetSpentError: there is no time for a burst.
        """
        before = -1.0
        while self.known.get(knobs, 0.0) > before * WARMER:
            before = self.known.get(knobs, 0.0)
            yield from self.measure(knobs)

    def measure(self, knobs: Knobs) -> Steps[None]:
        """Measure a setting, by larger bursts until one is long enough.

        Raises:
            BudgetSpentError: there is no time for a burst.
        """
        while True:
            qps, seconds = yield from self._burst(knobs)
            if qps == 0 and self._most_s < PATIENCE_S:
                self._most_s *= FACTOR
            elif qps == 0 or seconds >= LONG_ENOUGH_S or self._queries == MOST:
                break
            else:
                wanted = max(_long_enough(qps), self._queries * 5 // 4)
                self._queries = min(wanted, FACTOR * self._queries, MOST)
        self.known[knobs] = max(self.known.get(knobs, 0.0), qps)
        # The next setting is about as fast, so one burst will do.
        self._queries = min(max(_long_enough(self.best_qps), FEWEST), MOST)

    def _burst(self, knobs: Knobs) -> Steps[tuple[float, float]]:
        """Return the queries per second of one burst, and the seconds that it took."""
        trial = Trial(
            knobs=knobs,
            rate_qps=np.inf,
            queries=self._queries,
            warm_up=0,
            stop_at_violations=self._queries + 1,
            phase="capacity",
            most_seconds=self._most_s,
        )
        outcome = yield from self._history.measure(trial)
        qps = self._sustained_qps(outcome)
        self._history.record_burst(trial, outcome, qps)
        return qps, outcome.seconds

    def _sustained_qps(self, outcome: Outcome) -> float:
        answered = np.isfinite(outcome.latencies_ms)
        if not answered.any():
            return 0.0
        seconds = float(outcome.latencies_ms[answered].max()) / 1e3
        return outcome.rows * float(answered.mean()) / seconds / self._mean_rows


def _long_enough(qps: float) -> int:
    """Return how many queries make a burst that is long enough, with room for chance."""
    return round(1.5 * LONG_ENOUGH_S * qps)
