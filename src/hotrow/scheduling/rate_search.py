"""The highest Poisson rate whose tail latency holds, for one setting of the knobs.

From a first guess the rate is multiplied or divided by a factor until a rate that holds and one that does
not enclose the answer; bisection on the logarithm narrows them. Noise can spoil either end: a slow spell of
the machine makes a good rate fail, and luck lets a bad one pass. So the failing end is asked once more,
with fresh queries, before it is believed, and what is reported in the end is measured again (``confirm``).

Where the most is known that a setting can sustain (``capacity``), the search begins below it, and takes it
for the failing end until it knows better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hotrow.scheduling.ask import Answer, Question, ask
from hotrow.scheduling.clumps import Clumps
from hotrow.scheduling.history import BudgetSpentError, History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.tail import CONFIDENCE
from hotrow.scheduling.trial import Steps

OVERLOAD_SLAS = 10
"""The wait at a rate that is a tenth too high grows by the SLA in so many times the SLA."""


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How rates are searched for.

    Attributes:
        sla_ms: the latency that the percentile must not exceed.
        percentile: of the SLA, e.g. 95 or 99.
        confidence: of the verdict that is reported.
        search_confidence: of those before it, which only steer the search.
        precision: how much the failing end of the bracket may exceed the end that holds, relatively.
        factor: from one rate of the bracketing to the next, above 1.
        least_seconds: of arrivals at a rate before the first look: what an overload needs to show. Where
            there is time, ``OVERLOAD_SLAS`` times the SLA if that is more.
        looks: at a rate before it is given up as undecided, each at twice as many queries.
        floor_qps: rates below are not tried; a setting that does not hold there has no rate.
        clump: queries that are worth one independent one until something else was measured.
        search_clump: as far as it is raised while searching.
        most_clump: as far as it is raised for the verdict that is reported.
    """

    sla_ms: float
    percentile: float
    confidence: float = CONFIDENCE
    search_confidence: float = 0.9
    precision: float = 0.05
    factor: float = 1.5
    least_seconds: float = 2.0
    looks: int = 3
    floor_qps: float = 0.1
    clump: float = 4.0
    search_clump: float = 8.0
    most_clump: float = 64.0

    def __post_init__(self) -> None:
        if self.sla_ms <= 0 or self.precision <= 0 or self.factor <= 1 or self.floor_qps <= 0:
            raise ValueError("expected sla_ms, precision and floor_qps above 0 and factor above 1")

    def question(self, knobs: Knobs, rate_qps: float, phase: str, seconds: float) -> Question:
        """Return the question whether a setting holds at a rate, as a search with so much time asks it."""
        overload_s = min(OVERLOAD_SLAS * self.sla_ms / 1e3, seconds / 4)
        return Question(
            knobs=knobs,
            rate_qps=rate_qps,
            phase=phase,
            sla_ms=self.sla_ms,
            percentile=self.percentile,
            confidence=self.search_confidence,
            looks=self.looks,
            least_seconds=max(self.least_seconds, overload_s),
            clump=self.clump,
            most_clump=self.search_clump,
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """The highest rate of a setting.

    Attributes:
        knobs: the setting.
        rate_qps: the highest rate that was seen to hold; 0: none.
        failed_qps: the lowest rate above it that did not, or where the budget ended the search, that is known
            to be beyond what the setting can sustain; infinite: none was tried.
        clump: queries worth one independent one, as measured around that rate.
        complete: false if the budget ended the search.
    """

    knobs: Knobs
    rate_qps: float
    failed_qps: float
    clump: float = 1.0
    complete: bool = True


def search_rate(
    knobs: Knobs,
    start_qps: float,
    phase: str,
    config: SearchConfig,
    history: History,
    *,
    beat_qps: float = 0.0,
    ceiling_qps: float = math.inf,
) -> Steps[Found]:
    """Search for the highest rate of a setting.

    Args:
        knobs: the setting.
        start_qps: a first guess.
        phase: told with each measurement.
        config: how to search.
        history: where measurements are recorded, and what may be spent.
        beat_qps: a setting that does not hold at this rate is given up at once; 0: never.
        ceiling_qps: a rate that the setting should not be able to sustain.
    """
    bracket = _Bracket(knobs, phase, config, history)
    try:
        yield from bracket.try_rate(max(start_qps, beat_qps, config.floor_qps))
        if bracket.low == 0 and beat_qps > 0:
            if bracket.high > beat_qps:
                yield from bracket.try_rate(beat_qps)
            if bracket.low == 0:
                return bracket.found()
        bracket.assume_beyond(ceiling_qps)
        yield from bracket.enclose(config.factor)
        yield from bracket.narrow()
    except BudgetSpentError:
        return bracket.found(complete=False)
    return bracket.found()


class _Bracket:
    """A rate that holds and one above it that does not."""

    def __init__(self, knobs: Knobs, phase: str, config: SearchConfig, history: History) -> None:
        self._knobs = knobs
        self._phase = phase
        self._config = config
        self._history = history
        self._asked: list[tuple[float, Clumps]] = []
        self.low, self.high = 0.0, math.inf

    def found(self, *, complete: bool = True) -> Found:
        near = (rate for rate in (self.low, self.high) if rate > 0)
        clumps = sum((clumps for rate, clumps in self._asked if rate in near), Clumps())
        return Found(
            knobs=self._knobs,
            rate_qps=self.low,
            failed_qps=self.high,
            clump=max(clumps.factor, self._config.clump),
            complete=complete,
        )

    def try_rate(self, rate: float) -> Steps[None]:
        """Move the end that the rate's verdict says; a verdict against the other end moves that too."""
        left_s = self._history.left_s
        question = self._config.question(self._knobs, rate, self._phase, left_s)
        answer: Answer = yield from ask(question.within(left_s), self._history)
        self._asked.append((rate, answer.clumps))
        if answer.verdict == "holds":
            self.low = max(self.low, rate)
            self.high = self.high if self.high > rate else math.inf
        else:
            self.high = min(self.high, rate)

    def assume_beyond(self, ceiling: float) -> None:
        """Take a rate for the failing end, if there is room below it and none is known."""
        if 0 < self.low < ceiling / (1 + self._config.precision) and math.isinf(self.high):
            self.high = ceiling

    def enclose(self, factor: float) -> Steps[None]:
        """Go up or down from the rates that were tried, by larger steps each time, to know both ends."""
        floor = self._config.floor_qps
        while math.isinf(self.high):
            yield from self.try_rate(self.low * factor)
            factor = min(factor * factor, 4.0)
        while self.low == 0 and self.high > floor:
            yield from self.try_rate(max(self.high / factor, floor))
            factor = min(factor * factor, 4.0)

    def narrow(self) -> Steps[None]:
        """Bisect until the ends are near, then doubt the failing end once."""
        doubted = False
        near = (1 + self._config.precision) * (1 + 1e-9)
        while self.low > 0:
            if self.high / self.low > near:
                yield from self.try_rate(math.sqrt(self.low * self.high))
            elif doubted:
                return
            else:
                doubted = True
                yield from self.try_rate(self.high)
                if math.isinf(self.high):
                    yield from self.enclose(near * near)
