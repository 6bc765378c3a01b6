"""The rate that is reported: measured once more, with fresh queries and at full care.

The rate that a search ends with was found by looking for a rate that passes, so it is one that had luck, and
its verdict was a cheap one. Here the question is asked anew, with as many queries as the clumps of
late queries call for, and where it does not hold, again further down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from hotrow.scheduling.ask import Answer, ask
from hotrow.scheduling.history import BudgetSpentError, History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found, SearchConfig
from hotrow.scheduling.trial import Steps

ATTEMPTS = 6
"""Rates that are asked, going down by 1, 2, 3, ... times the precision of the search."""

FIT = 6
"""First looks that a contender's share of the budget should pay for: two attempts of two looks each."""

Ending = Literal["held", "failed", "unfinished"]


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A rate that was measured once more.

    Attributes:
        knobs: the setting.
        rate_qps: at which it held; below the last attempt if all failed; unfinished, the next to ask.
        ending: "unfinished": the budget did not suffice for a verdict.
        full: whether clumps were counted in full; if not, that it held is less sure than it should be.
        answer: of the attempt that held.
    """

    knobs: Knobs
    rate_qps: float
    ending: Ending
    full: bool = True
    answer: Answer | None = None


def confirm(
    found: Found, phase: str, config: SearchConfig, history: History, *, share_s: float = math.inf
) -> Steps[Confirmed]:
    """Measure a rate again; where it does not hold, go down and measure again.

    The permitted error is spent over the attempts (a half, a quarter, ...), so that what is reported is as
    sure as a single attempt would be.

    Args:
        found: what the search found.
        phase: told with each measurement.
        config: of the search.
        history: where measurements are recorded, and what may be spent.
        share_s: seconds that this may take. Where clumps ask for more, they are counted as smaller than they
            are, and the result says so.
    """
    rate, error = found.rate_qps, 1 - config.confidence
    for attempt in range(1, ATTEMPTS + 1):
        error /= 2 if attempt < ATTEMPTS else 1
        question = replace(config.question(found.knobs, rate, phase, share_s), confidence=1 - error)
        affordable = question.affordable_clump(share_s, FIT)
        most = min(affordable, config.most_clump)
        question = replace(question, clump=min(found.clump, most), most_clump=most)
        try:
            answer = yield from ask(question, history)
        except BudgetSpentError:
            return Confirmed(knobs=found.knobs, rate_qps=rate, ending="unfinished")
        if answer.verdict == "holds":
            needed = min(max(found.clump, answer.clumps.factor), config.most_clump)
            full = needed <= affordable
            return Confirmed(knobs=found.knobs, rate_qps=rate, ending="held", full=full, answer=answer)
        rate /= (1 + config.precision) ** attempt
    return Confirmed(knobs=found.knobs, rate_qps=rate, ending="failed")
