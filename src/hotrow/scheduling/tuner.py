"""DeepRecSched: the batch size and the offload threshold with the highest rate under the SLA.

Gupta et al., "DeepRecSys: A System for Optimizing End-To-End At-Scale Neural Recommendation Inference",
ISCA 2020, section IV: hill climbing over the batch size, then over the offload threshold; the score of a
setting is the highest rate at which the tail latency stays under the SLA. Added here: a confidence rule for
every verdict, a budget, bursts that tell what a setting can sustain before its rate is searched, static
schedulers as candidates (so the result is never below them), a second climb over the batch size once queries
are offloaded, and a last round in which the winner and the static schedulers are measured again in turns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from hotrow.scheduling.capacity import Capacities
from hotrow.scheduling.climb import TrySetting, climb
from hotrow.scheduling.confirm import Confirmed, confirm
from hotrow.scheduling.history import BudgetSpentError, History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.ladder import batch_ladder, nearest, threshold_ladder
from hotrow.scheduling.rate_search import Found, SearchConfig, search_rate
from hotrow.scheduling.trial import Steps, in_turns
from hotrow.scheduling.tuned import Contender, Tuned

STATIC_BATCH = 25
"""The batch size of the static scheduler in the paper: 1000 candidates over 40 cores."""

FLOOR_SHARE = 0.05
"""Of the highest capacity: a setting that does not hold at such a rate is said to have none. To find out how
little a hopeless setting can do would take longer than all the rest."""

START_SHARE = 0.7
"""Of its capacity: the first rate that is tried of a setting."""

CAPACITY_MARGIN = 1.1
"""By which a capacity may be wrong, relatively: no rate beyond is tried, and a setting whose capacity is
less than the best rate by so much is given up."""

SEARCH_SHARE = 0.7
"""Of the budget, for the searches; the rest is kept for measuring the winner and the statics again."""

EACH_SHARE = 0.2
"""Of that, the most for the bursts before the searches, and for each of the static schedulers, so that the
climb gets two fifths at least."""

LEAST_S = 4.0
"""What a static scheduler gets in any case: about the time of one trial."""

FIRST_RUNG = 64
HOPELESS_SHARE = 0.5
"""Of the highest capacity: where less is found on the way down, settings further down are left alone."""


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """What is tuned.

    Attributes:
        search: how the rate of a setting is found.
        sizes: (Q,) rows of queries, a sample of the load.
        accelerator: whether there is one, so that the threshold is tuned too.
        largest: rows of the largest query; None: of the sample.
    """

    search: SearchConfig
    sizes: Sequence[int]
    accelerator: bool = False
    largest: int | None = None

    @property
    def largest_query(self) -> int:
        """Rows of the largest query."""
        return max(self.sizes) if self.largest is None else self.largest


def tune(config: TuneConfig, history: History) -> Steps[Tuned]:
    """Find the best knobs.

    Args:
        config: what is tuned and how.
        history: gets every measurement, tells its ``on_step``, and bounds the seconds spent.

    Returns:
        The winner and the static schedulers as measured in the last round.
    """
    tuner = _Tuner(config, history)
    with history.at_most(SEARCH_SHARE * history.left_s):
        yield from tuner.measure_capacities()
        statics = yield from tuner.search_statics()
        best = max(statics.values(), key=lambda found: found.rate_qps)
        best = yield from tuner.climb_batch((yield from tuner.try_most_capable(best)))
        if config.accelerator:
            before = best
            best = yield from tuner.climb_threshold(best)
            if best.knobs != before.knobs:
                best = yield from tuner.climb_batch(best)
        statics = yield from tuner.search_further(statics)
    contenders = yield from tuner.measure_again(best, statics)
    return Tuned.choose(contenders, config.search, tuple(history.steps), complete=tuner.complete)


class _Tuner:
    def __init__(self, config: TuneConfig, history: History) -> None:
        self._config = config
        self._search = config.search
        self._history = history
        self._capacities = Capacities(sum(config.sizes) / len(config.sizes), history)
        self._found: dict[Knobs, Found] = {}
        self._each_s = EACH_SHARE * SEARCH_SHARE * history.left_s

    @property
    def complete(self) -> bool:
        """Whether no search was ended by the budget."""
        return all(found.complete for found in self._found.values())

    def measure_capacities(self) -> Steps[None]:
        """Measure the capacities of powers of two, upwards from the middle, then downwards."""
        largest = self._config.largest_query
        ladder = [rung for rung in batch_ladder(largest) if rung & (rung - 1) == 0 or rung == largest]
        first = nearest(ladder, FIRST_RUNG)
        with self._history.at_most(self._each_s), suppress(BudgetSpentError):
            yield from self._capacities.warm_up(Knobs(ladder[first]))
            for rung in ladder[first + 1 :]:
                yield from self._capacities.measure(Knobs(rung))
            for rung in reversed(ladder[:first]):
                qps = yield from self._capacities.of(Knobs(rung))
                if qps < HOPELESS_SHARE * self._capacities.best_qps:
                    break
        floor = max(self._search.floor_qps, FLOOR_SHARE * self._capacities.best_qps)
        self._search = replace(self._search, floor_qps=floor)

    def search_statics(self) -> Steps[dict[str, Found]]:
        """Search the rates of the static schedulers, neither of which offloads."""
        found: dict[str, Found] = {}
        for name, batch in (("static_25", STATIC_BATCH), ("static_whole", self._config.largest_query)):
            with self._history.at_most(max(self._each_s, LEAST_S)):
                found[name] = yield from self._rate(Knobs(batch), name.replace("_", " "))
        return found

    def search_further(self, statics: dict[str, Found]) -> Steps[dict[str, Found]]:
        """Go on with those searches of the static schedulers that were not done, if there is time left."""
        for name, found in statics.items():
            again = yield from self._rate(found.knobs, name.replace("_", " "))
            statics[name] = again if again.rate_qps > 0 else found
        return statics

    def try_most_capable(self, known: Found) -> Steps[Found]:
        """Return the better of a setting and the one with the highest capacity.

        Where neither holds at any rate, settings with less and less capacity are tried.
        """
        capacities, best_qps = self._capacities.known, self._capacities.best_qps
        for knobs in sorted(capacities, key=lambda knobs: capacities[knobs], reverse=True):
            if capacities[knobs] < HOPELESS_SHARE * best_qps:
                break
            if knobs != known.knobs:
                found = yield from self._trying("batch size")(knobs, known)
                known = found if found.rate_qps > known.rate_qps else known
            if known.rate_qps > 0:
                break
        return known

    def climb_batch(self, known: Found) -> Steps[Found]:
        """Climb over the batch size from a setting whose rate is known."""
        ladder = batch_ladder(self._config.largest_query)
        settings = [replace(known.knobs, batch_size=rung) for rung in ladder]
        start = nearest(ladder, known.knobs.batch_size)
        return (yield from climb(settings, start, known, self._trying("batch size")))

    def climb_threshold(self, known: Found) -> Steps[Found]:
        """Climb over the threshold, from offloading the largest quarter if that is better than nothing."""
        ladder = threshold_ladder(self._config.sizes)
        settings = [replace(known.knobs, offload_threshold=rung) for rung in ladder]
        quarter = sorted(self._config.sizes)[len(self._config.sizes) * 3 // 4]
        start = next(i for i, rung in enumerate(ladder) if rung is None or rung >= quarter)
        trying = self._trying("offload threshold")
        found = yield from trying(settings[start], known)
        if found.rate_qps > known.rate_qps:
            return (yield from climb(settings, start, found, trying))
        return (yield from climb(settings, len(ladder) - 1, known, trying))

    def measure_again(self, best: Found, statics: dict[str, Found]) -> Steps[list[Contender]]:
        """Measure the winner and the static schedulers again, in turns."""
        names = {"tuned": best, **statics}
        for name in [name for name, static in statics.items() if static.knobs == best.knobs]:
            names[name] = names.pop("tuned", best)
        asked = {name: asked for name, found in names.items() if (asked := self._to_ask(found)).rate_qps > 0}
        share = self._history.left_s / max(len(asked), 1)
        searches: dict[str, Steps[Confirmed]] = {
            name: confirm(
                found, f"again: {name.replace('_', ' ')}", self._search, self._history, share_s=share
            )
            for name, found in asked.items()
        }
        confirmed = yield from in_turns(searches)
        return [Contender.of(name, found, confirmed.get(name)) for name, found in names.items()]

    def _to_ask(self, found: Found) -> Found:
        """Return what is to be confirmed: of a search that ended before any rate held, the next rate."""
        if found.rate_qps > 0 or found.complete or math.isinf(found.failed_qps):
            return found
        return replace(found, rate_qps=found.failed_qps / self._search.factor)

    def _trying(self, phase: str) -> TrySetting:
        def try_setting(knobs: Knobs, best: Found) -> Steps[Found]:
            floor = self._search.floor_qps  # where nothing held yet, a setting is first tried there
            return self._rate(knobs, phase, best.rate_qps * (1 + self._search.precision) or floor)

        return try_setting

    def _rate(self, knobs: Knobs, phase: str, beat_qps: float = 0.0) -> Steps[Found]:
        """Search the rate of a setting, or go on with a search that was not done.

        One whose capacity says that it cannot beat the best is given up at once.
        """
        known = self._found.get(knobs)
        if known is not None and known.complete:
            return known
        try:
            capacity = yield from self._capacities.of(knobs, beat_qps / CAPACITY_MARGIN)
        except BudgetSpentError:
            self._found[knobs] = Found(knobs=knobs, rate_qps=0.0, failed_qps=math.inf, complete=False)
            return self._found[knobs]
        start, ceiling = START_SHARE * capacity, CAPACITY_MARGIN * capacity or math.inf
        if known is not None and not math.isinf(known.failed_qps):
            start, ceiling = known.rate_qps or known.failed_qps / self._search.factor, known.failed_qps
        if ceiling < beat_qps:
            return Found(knobs=knobs, rate_qps=0.0, failed_qps=beat_qps)
        self._found[knobs] = yield from search_rate(
            knobs, start, phase, self._search, self._history, beat_qps=beat_qps, ceiling_qps=ceiling
        )
        return self._found[knobs]
