"""DeepRecSched: the batch size and the offload threshold with the highest rate under the SLA.

Gupta et al., "DeepRecSys: A System for Optimizing End-To-End At-Scale Neural Recommendation Inference",
ISCA 2020, section IV: hill climbing over the batch size, then over the offload threshold; the score of a
setting is the highest rate at which the tail latency stays under the SLA. Added here: a confidence rule for
every verdict, a budget, static schedulers as candidates (so the result is never below them), a second
climb over the batch size once queries are offloaded, and a last round in which the winner and the static
schedulers are measured again in turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hotrow.scheduling.climb import TrySetting, climb
from hotrow.scheduling.confirm import Confirmed, confirm
from hotrow.scheduling.history import History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.ladder import batch_ladder, nearest, threshold_ladder
from hotrow.scheduling.rate_search import Found, SearchConfig, search_rate
from hotrow.scheduling.trial import Steps, in_turns
from hotrow.scheduling.tuned import Contender, Tuned

STATIC_BATCH = 25
"""The batch size of the static scheduler in the paper: 1000 candidates over 40 cores."""

FLOOR_SHARE = 0.05
"""Of the first guess: a setting that does not hold at such a rate is said to have none. To find out how
little a hopeless setting can do would take longer than all the rest."""

SEARCH_SHARE = 0.7
"""Of the budget, for the searches; the rest is kept for measuring the winner and the statics again."""


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """What is tuned.

    Attributes:
        search: how the rate of a setting is found.
        sizes: (Q,) rows of queries, a sample of the load.
        start_qps: a first guess of the rate.
        accelerator: whether there is one, so that the threshold is tuned too.
        largest: rows of the largest query; None: of the sample.
    """

    search: SearchConfig
    sizes: Sequence[int]
    start_qps: float
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
    floor = max(config.search.floor_qps, FLOOR_SHARE * config.start_qps)
    config = replace(config, search=replace(config.search, floor_qps=floor))
    tuner = _Tuner(config, history)
    history.limit_s = history.spent_s + SEARCH_SHARE * (history.budget_s - history.spent_s)
    statics = yield from tuner.search_statics()
    best = max(statics.values(), key=lambda found: found.rate_qps)
    best = yield from tuner.climb_batch(best)
    if config.accelerator:
        before = best
        best = yield from tuner.climb_threshold(best)
        if best.knobs != before.knobs:
            best = yield from tuner.climb_batch(best)
    history.limit_s = history.budget_s
    contenders = yield from tuner.measure_again(best, statics)
    return Tuned.choose(contenders, config.search, tuple(history.steps), complete=tuner.complete)


class _Tuner:
    def __init__(self, config: TuneConfig, history: History) -> None:
        self._config = config
        self._history = history
        self.complete = True

    def search_statics(self) -> Steps[dict[str, Found]]:
        """Search the rates of the static schedulers, neither of which offloads."""
        found: dict[str, Found] = {}
        start = self._config.start_qps
        for name, batch in (("static_25", STATIC_BATCH), ("static_whole", self._config.largest_query)):
            label = name.replace("_", " ")
            found[name] = yield from self._rate(Knobs(batch), start, label)
            start = found[name].rate_qps or start
        return found

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
        if any(best.knobs == static.knobs for static in statics.values()):
            del names["tuned"]
        names_with_rate = [name for name, found in names.items() if found.rate_qps > 0]
        share = (self._history.limit_s - self._history.spent_s) / max(len(names_with_rate), 1)
        searches: dict[str, Steps[Confirmed]] = {
            name: confirm(
                names[name],
                f"again: {name.replace('_', ' ')}",
                self._config.search,
                self._history,
                share_s=share,
            )
            for name in names_with_rate
        }
        confirmed = yield from in_turns(searches)
        return [Contender.of(name, found, confirmed.get(name)) for name, found in names.items()]

    def _trying(self, phase: str) -> TrySetting:
        def try_setting(knobs: Knobs, best: Found) -> Steps[Found]:
            floor = self._config.search.floor_qps  # where nothing held yet, a setting is first tried there
            beat = best.rate_qps * (1 + self._config.search.precision) or floor
            return self._rate(knobs, best.rate_qps, phase, beat)

        return try_setting

    def _rate(self, knobs: Knobs, start_qps: float, phase: str, beat_qps: float = 0.0) -> Steps[Found]:
        found = yield from search_rate(
            knobs, start_qps, phase, self._config.search, self._history, beat_qps=beat_qps
        )
        self.complete = self.complete and found.complete
        return found
