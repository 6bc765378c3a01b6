from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.scheduling.planted import ROWS, SLA_MS, Planted

from hotrow.scheduling.ask import Answer, Question, ask
from hotrow.scheduling.history import History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.simulate import Linear
from hotrow.scheduling.simulated import SimulatedSystem
from hotrow.scheduling.trial import Outcome, Trial, drive

QUESTION = Question(
    knobs=Knobs(25),
    rate_qps=100,
    phase="p",
    sla_ms=SLA_MS,
    percentile=95,
    least_seconds=0,
    warm_up_seconds=0.1,
)


def planted(load: float, seed: int | None = None) -> Planted:
    return Planted(lambda knobs: 100 / load, rng=None if seed is None else np.random.default_rng(seed))


def test_a_clean_rate_holds_after_the_first_look() -> None:
    system, history = planted(0.5), History()
    answer = drive(ask(QUESTION, history), system.measure)
    assert (answer.verdict, answer.latencies_ms.size, answer.rows) == ("holds", 104, 104 * ROWS)
    assert [(t.queries, t.warm_up, t.stop_at_violations) for t in system.trials] == [(104, 10, 13)]
    assert [step.verdict for step in history.steps] == ["holds"]


def test_a_hopeless_rate_is_given_up_as_soon_as_it_is_certain() -> None:
    answer = drive(ask(QUESTION, History()), planted(2.0).measure)
    assert answer.verdict == "fails"
    assert answer.latencies_ms.size == 13 * QUESTION.most_clump
    question = replace(QUESTION, most_clump=1)
    assert drive(ask(question, History()), planted(2.0).measure).latencies_ms.size == 13


def test_seconds_and_clumps_ask_for_more_queries() -> None:
    system = planted(0.5)
    drive(ask(replace(QUESTION, least_seconds=5.0), History()), system.measure)
    drive(ask(replace(QUESTION, clump=3.0), History()), system.measure)
    assert [trial.queries for trial in system.trials] == [500, 312]


def test_clumps_that_are_larger_than_known_raise_what_is_needed() -> None:
    latencies = np.full(104, 1.0)
    latencies[50:60] = 20.0
    sizes = []

    def measure(trial: Trial) -> Outcome:
        sizes.append(trial.queries)
        shown = latencies if len(sizes) == 1 else np.full(trial.queries, 1.0)
        return Outcome(latencies_ms=shown, rows=1, seconds=1)

    answer = drive(ask(QUESTION, History()), measure)
    assert answer.clumps.factor == 10
    assert sizes == [104, 1040 - 104, 1040]  # ten late in one clump count as one
    assert answer.verdict == "holds"


def test_few_latencies_without_violations_are_a_defect_of_who_measures() -> None:
    short = Outcome(latencies_ms=np.ones(3), rows=3, seconds=1)
    with pytest.raises(ValueError, match="got 3 latencies, expected 104"):
        drive(ask(QUESTION, History()), lambda trial: short)


def answers(question: Question, rate: float, count: int) -> list[Answer]:
    found = []
    for seed in range(count):
        system = SimulatedSystem(
            workers=2,
            service=Linear(0.1, 0.02),
            sizes=(100, 200, 400),
            rng=np.random.default_rng(seed),
            sla_ms=20,
        )
        found.append(drive(ask(replace(question, rate_qps=rate, sla_ms=20), History()), system.measure))
    return found


def test_queues_do_not_fool_it_as_they_fool_counting() -> None:
    """At this rate 5.8% of 300,000 queries are late, so "holds" is wrong."""
    rate, question = 312.0, replace(QUESTION, knobs=Knobs(128), warm_up_seconds=0.5)
    counted = answers(replace(question, most_clump=1), rate, 20)
    judged = answers(replace(question, clump=16, looks=2), rate, 20)
    assert sum(answer.verdict == "holds" for answer in counted) >= 10
    assert sum(answer.verdict == "holds" for answer in judged) == 0


def test_clear_loads_are_decided_in_a_queue_too() -> None:
    question = replace(QUESTION, knobs=Knobs(128), clump=4, most_clump=64)
    assert {answer.verdict for answer in answers(question, 150, 10)} == {"holds"}
    assert {answer.verdict for answer in answers(question, 450, 10)} == {"fails"}
