"""Both knobs follow the load and the neighbours while the server serves.

After each window of traffic the tail that the present knobs and their neighbours would have is forecast from
what was observed: the rate, the sizes, the time of sub-batches as it is learnt (interference shows there)
and the utilisation. Refused queries count as load, for the knobs should bear them too, not as work. One knob
moves one step, towards a setting that is clearly better, and only if several windows in a row say so. Then
the move is judged by what was measured: if queries take clearly longer than before under no more load, and
by more than windows differ by chance, it is taken back, and that step is not tried again for some time,
twice as long each time. So a forecast that is wrong about a machine costs a few windows, not an
oscillation. Where the workers are busy all the time queries grow whatever the knobs: then moves come at once
and are not judged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.scheduling.forecast import Forecast, Load, Machine, forecast
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.ladder import nearest

FULL = 0.97
"""Utilisation from which the workers count as busy all the time."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """What was observed for a while.

    Attributes:
        seconds: how long.
        sizes: (Q,) rows of the queries that arrived.
        admitted: (Q,) bool, which of them were let in; None: all.
        latency_ms: mean latency of the queries that were completed.
        utilisation: share of the time that workers were busy, 0 to 1.
    """

    seconds: float
    sizes: NDArray[np.int64]
    latency_ms: float
    utilisation: float
    admitted: NDArray[np.bool_] | None = None

    @property
    def worked(self) -> Load:
        """The load that was let in, which is what the workers were busy with."""
        sizes = self.sizes if self.admitted is None else self.sizes[self.admitted]
        return Load(len(sizes) / self.seconds, sizes)


@dataclass(frozen=True, kw_only=True)
class AdaptConfig:
    """Limits and inertia.

    Attributes:
        batch_sizes: rising, the settings that the batch size may have.
        thresholds: rising, None last, those of the offload threshold; empty: it is left alone.
        percentile: of the latency that is kept low.
        gain: by how much a setting must be better, relatively.
        patience: windows in a row that must say so.
        settle: windows after a move that are not looked at.
        least_queries: in a window, to look at it at all.
        headroom: factor on the rate, so that a burst does not find the knobs at their limit.
        memory: queries whose sizes are remembered.
        judged: windows after these by which a move is judged before the next one.
        worse: factor on the mean latency above which a move is taken back.
        rest: windows that a step taken back is not tried again; twice as many each time.
    """

    batch_sizes: tuple[int, ...]
    thresholds: tuple[int | None, ...] = ()
    percentile: float = 95.0
    gain: float = 0.1
    patience: int = 3
    settle: int = 1
    judged: int = 3
    least_queries: int = 30
    headroom: float = 1.1
    memory: int = 512
    worse: float = 1.3
    rest: int = 16

    def __post_init__(self) -> None:
        if not self.batch_sizes:
            raise ValueError("batch_sizes: got none, expected at least one")


Reason = Literal["forecast", "taken back"]


@dataclass(frozen=True)
class Move:
    """A step that was taken.

    Attributes:
        window: number of the window after which.
        before: the knobs until then.
        after: the knobs from then on.
        reason: why.
    """

    window: int
    before: Knobs
    after: Knobs
    reason: Reason


@dataclass
class _Trial:
    """A move that is yet to be judged, and what was before it."""

    move: Move
    rate_qps: float
    latencies_ms: list[float]


class Adapter:
    """Moves the knobs.

    Args:
        knobs: to begin with, e.g. as ``tune`` found them.
        config: limits and inertia.
    """

    _SMOOTHING = 0.3
    """Weight of the newest window."""

    def __init__(self, knobs: Knobs, config: AdaptConfig) -> None:
        self.knobs = knobs
        self.config = config
        self.moves: list[Move] = []
        self._sizes: deque[int] = deque(maxlen=config.memory)
        self._windows = self._settling = self._votes = 0
        self._rate_qps = 0.0
        self._latencies_ms: deque[float] = deque(maxlen=8)
        self._correction = 1.0
        self._favourite: Knobs | None = None
        self._trial: _Trial | None = None
        self._resting: dict[tuple[Knobs, Knobs], tuple[int, int]] = {}

    def observe(self, window: Window, machine: Machine) -> Move | None:
        """Look at a window and move a knob or none.

        Args:
            window: what was observed since the one before.
            machine: as it is known by now.
        """
        self._windows += 1
        if len(window.sizes) < self.config.least_queries:
            return None
        self._remember(window, machine)
        overloaded = window.utilisation >= FULL
        if self._settling and not overloaded:
            self._settling -= 1
            return None
        self._latencies_ms.append(window.latency_ms)
        back = self._judge_trial(overloaded)
        return back if back is not None else self._vote(machine, 1 if overloaded else self.config.patience)

    def _remember(self, window: Window, machine: Machine) -> None:
        fresh = self._rate_qps == 0
        self._sizes.extend(window.sizes[-self.config.memory :].tolist())
        weight = 1.0 if fresh else self._SMOOTHING
        self._rate_qps += weight * (len(window.sizes) / window.seconds - self._rate_qps)
        expected = forecast(self.knobs, window.worked, machine, self.config.percentile).utilisation
        if 0.05 < expected < 1 and 0.05 < window.utilisation < 0.95:
            ratio = min(max(window.utilisation / expected, 0.5), 2.0)
            self._correction += self._SMOOTHING * (ratio - self._correction)

    def _forecast(self, knobs: Knobs, machine: Machine, *, headroom: float) -> Forecast:
        load = Load(self._rate_qps * headroom, np.array(self._sizes, dtype=np.int64))
        return forecast(knobs, load, machine, self.config.percentile)

    def _judge_trial(self, overloaded: bool) -> Move | None:
        trial = self._trial
        if trial is None or (len(self._latencies_ms) < self.config.judged and not overloaded):
            return None
        self._trial = None
        after = list(self._latencies_ms)
        if overloaded or self._rate_qps > 1.1 * trial.rate_qps or not self._worse(trial.latencies_ms, after):
            return None
        step = (trial.move.before, trial.move.after)
        rest = 2 * self._resting[step][1] if step in self._resting else self.config.rest
        self._resting[step] = (self._windows + rest, rest)
        return self._move(trial.move.before, "taken back")

    def _worse(self, before: list[float], after: list[float]) -> bool:
        """Return whether latencies rose, by more than three standard errors of a difference of means."""
        if len(before) < 2 or np.mean(after) <= self.config.worse * np.mean(before):
            return False
        spread = (np.var(before, ddof=1) / len(before) + np.var(after, ddof=1) / len(after)) ** 0.5
        return bool(np.mean(after) - np.mean(before) > 3 * spread)

    def _vote(self, machine: Machine, patience: int) -> Move | None:
        favourite = self._best_step(machine)
        self._votes = self._votes + 1 if favourite == self._favourite else 1
        self._favourite = favourite
        if favourite is None or self._votes < patience or self._trial is not None:
            return None
        latencies = list(self._latencies_ms)
        move = self._move(favourite, "forecast")
        self._trial = _Trial(move, self._rate_qps, latencies)
        return move

    def _move(self, knobs: Knobs, reason: Reason) -> Move:
        move = Move(self._windows, self.knobs, knobs, reason)
        self.moves.append(move)
        self.knobs, self._settling, self._votes, self._favourite = knobs, self.config.settle, 0, None
        self._latencies_ms.clear()
        return move

    def _best_step(self, machine: Machine) -> Knobs | None:
        """Return the neighbour towards the clearly best setting in reach; None: none is clearly better."""
        corrected = self.config.headroom * self._correction
        now = self._forecast(self.knobs, machine, headroom=corrected).tail_ms
        best, step = now * (1 - self.config.gain), None
        for path in self._paths():
            first = path[0]
            if self._resting.get((self.knobs, first), (0, 0))[0] > self._windows:
                continue
            tails = [self._forecast(knobs, machine, headroom=corrected).tail_ms for knobs in path]
            if min(tails) < best and tails[0] <= now * 1.02:
                best, step = min(tails), first
        return step

    def _paths(self) -> Iterator[list[Knobs]]:
        """Yield the next two settings up and down of each knob: single steps may lie on a plateau."""
        batches, thresholds = self.config.batch_sizes, self.config.thresholds
        here = nearest(batches, self.knobs.batch_size)
        for path in _ways(len(batches), here):
            yield [replace(self.knobs, batch_size=batches[index]) for index in path]
        if self.knobs.offload_threshold in thresholds:
            for path in _ways(len(thresholds), thresholds.index(self.knobs.offload_threshold)):
                yield [replace(self.knobs, offload_threshold=thresholds[index]) for index in path]


def _ways(count: int, here: int) -> Iterator[range]:
    up, down = range(here + 1, min(here + 3, count)), range(here - 1, max(here - 3, -1), -1)
    yield from (way for way in (up, down) if way)
