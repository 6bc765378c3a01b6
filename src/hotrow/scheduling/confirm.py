"""The rate that is reported: measured once more, with fresh queries and at full care.

The rate that a search ends with was found by looking for a rate that passes, so it is one that had luck, and
its verdict was a cheap one. Here the question is asked anew, with as many queries as the clumps of
late queries call for, and where it does not hold, again further down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hotrow.scheduling.ask import Answer, ask
from hotrow.scheduling.history import BudgetSpentError, History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found, SearchConfig
from hotrow.scheduling.trial import Steps

ATTEMPTS = 6
"""Rates that are asked, going down by 1, 2, 3, ... times the precision of the search."""


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A rate that was measured once more.

    Attributes:
        knobs: the setting.
        rate_qps: at which it was confirmed, or the one below the last attempt.
        answer: of the attempt that held; None: none did, or the budget did not suffice.
    """

    knobs: Knobs
    rate_qps: float
    answer: Answer | None = None


def confirm(found: Found, phase: str, config: SearchConfig, history: History) -> Steps[Confirmed]:
    """Measure a rate again; where it does not hold, go down and measure again.

    The permitted error is spent over the attempts (a half, a quarter, ...), so that what is reported is as
    sure as a single attempt would be.

    Args:
        found: what the search found.
        phase: told with each measurement.
        config: of the search.
        history: where measurements are recorded, and what may be spent.
    """
    rate, clump, error = found.rate_qps, found.clump, 1 - config.confidence
    for attempt in range(1, ATTEMPTS + 1):
        error /= 2 if attempt < ATTEMPTS else 1
        question = replace(
            config.question(found.knobs, rate, phase),
            confidence=1 - error,
            clump=min(clump, config.most_clump),
            most_clump=config.most_clump,
        )
        try:
            answer = yield from ask(question, history)
        except BudgetSpentError:
            break
        if answer.verdict == "holds":
            return Confirmed(knobs=found.knobs, rate_qps=rate, answer=answer)
        rate /= (1 + config.precision) ** attempt
    return Confirmed(knobs=found.knobs, rate_qps=rate)
