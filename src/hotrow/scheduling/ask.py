"""Whether one setting holds the SLA at one rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hotrow.scheduling.clumps import Clumps, count_clumps
from hotrow.scheduling.history import History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.looks import Look, first_look, plan_looks
from hotrow.scheduling.tail import CONFIDENCE, Verdict
from hotrow.scheduling.trial import Steps, Trial

FIT = 12
"""First looks that should fit into what may be spent on a search."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and how carefully.

    Attributes:
        knobs: the setting.
        rate_qps: of the Poisson arrivals.
        phase: told with each measurement.
        sla_ms: the latency that the percentile must not exceed.
        percentile: of the SLA.
        confidence: of the verdict.
        looks: before it is given up as undecided, each at twice as many queries.
        least_seconds: of arrivals before the first look.
        warm_up_seconds: of arrivals before each measurement.
        clump: queries that are worth one independent one, as known before (``clumps``). What is measured
            raises it, and with it the queries that are needed.
        most_clump: as far as it is raised. An overload is one clump without end, and must be told some time.
    """

    knobs: Knobs
    rate_qps: float
    phase: str
    sla_ms: float
    percentile: float
    confidence: float = CONFIDENCE
    looks: int = 4
    least_seconds: float = 2.0
    warm_up_seconds: float = 0.5
    clump: float = 1.0
    most_clump: float = 64.0

    def plan(self) -> tuple[Look, ...]:
        """Return the looks, in independent queries."""
        seconds = math.ceil(self.rate_qps * self.least_seconds / self.clump)
        first = max(first_look(self.percentile, self.confidence), seconds)
        return plan_looks(self.percentile, first, self.looks, self.confidence)

    def within(self, seconds: float) -> Question:
        """Return the question as it can be asked when there is so much time for this and others.

        Clumps are counted as smaller until ``FIT`` first looks fit. A question that would take more than a
        quarter of the time until it is given up is given up after two looks.
        """
        most = self.affordable_clump(seconds, FIT)
        fitted = replace(self, clump=min(self.clump, most), most_clump=min(self.most_clump, most))
        until_given_up = fitted.clump * fitted.plan()[-1].queries / self.rate_qps
        return fitted if 4 * until_given_up <= seconds else replace(fitted, looks=min(self.looks, 2))

    def affordable_clump(self, seconds: float, looks: int) -> float:
        """Return how large clumps may be, at least 1, for so many first looks to fit into the time."""
        first = first_look(self.percentile, self.confidence)
        return max(seconds * self.rate_qps / (looks * first), 1.0)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found out.

    Attributes:
        verdict: "undecided": the tail is too near the SLA to say, in the queries that were planned.
        latencies_ms: (Q,) of all queries measured.
        rows: of these queries.
        clumps: of late queries among them.
    """

    verdict: Verdict
    latencies_ms: NDArray[np.floating]
    rows: int
    clumps: Clumps


def ask(question: Question, history: History) -> Steps[Answer]:
    """Measure until there is a verdict or the last look is over.

    Args:
        question: what is asked.
        history: where measurements are recorded, and what may be spent.

    Raises:
        BudgetSpentError: the next measurement does not fit into the budget.
    """
    asking = _Asking(question, history, question.clump)
    for look in question.plan():
        while asking.missing(look) > 0 and asking.verdict == "undecided":
            yield from asking.measure(look)
        if asking.verdict != "undecided":
            break
    return Answer(
        verdict=asking.verdict,
        latencies_ms=np.concatenate(asking.parts),
        rows=asking.rows,
        clumps=asking.clumps,
    )


@dataclass
class _Asking:
    question: Question
    history: History
    clump: float
    verdict: Verdict = "undecided"
    parts: list[NDArray[np.floating]] = field(default_factory=list)
    measured: int = 0
    violations: int = 0
    rows: int = 0
    clumps: Clumps = field(default_factory=Clumps)

    def missing(self, look: Look) -> int:
        """Return how many queries are yet to be measured before the look."""
        return math.ceil(self.clump * look.queries) - self.measured

    def measure(self, look: Look) -> Steps[None]:
        """Measure what is missing and judge."""
        question = self.question
        trial = Trial(
            knobs=question.knobs,
            rate_qps=question.rate_qps,
            queries=self.missing(look),
            warm_up=math.ceil(max(question.rate_qps * question.warm_up_seconds, 4 * self.clump)),
            stop_at_violations=math.ceil(self.clump * look.fails_at_least) - self.violations,
            phase=question.phase,
        )
        outcome = yield from self.history.measure(trial)
        late = outcome.count_violations(question.sla_ms)
        if outcome.latencies_ms.size < trial.queries and late < trial.stop_at_violations:
            raise ValueError(f"got {outcome.latencies_ms.size} latencies, expected {trial.queries}")
        self._add(outcome.latencies_ms, late, outcome.rows)
        self.verdict = self._judge(look)
        self.history.record(trial, outcome, late, self.verdict)

    def _add(self, latencies_ms: NDArray[np.floating], late: int, rows: int) -> None:
        self.parts.append(latencies_ms)
        self.measured += latencies_ms.size
        self.violations += late
        self.rows += rows
        self.clumps += count_clumps(latencies_ms, self.question.sla_ms)
        self.clump = min(max(self.clump, self.clumps.factor), max(self.question.most_clump, self.clump))

    def _judge(self, look: Look) -> Verdict:
        clumps = self.violations / self.clump
        if clumps >= look.fails_at_least:
            return "fails"
        if self.missing(look) > 0:  # the clumps are larger than was thought
            return "undecided"
        return look.judge(math.ceil(clumps))
