from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from hotrow.scheduling.history import BudgetSpentError, History, Step, percentiles
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Outcome, Trial

TRIAL = Trial(knobs=Knobs(25, 100), rate_qps=10, queries=90, warm_up=10, stop_at_violations=9, phase="p")
OUTCOME = Outcome(latencies_ms=np.array([1.0, 2.0, np.inf, 4.0]), rows=40, seconds=7)


def test_what_does_not_fit_into_the_budget_is_not_measured() -> None:
    history = History(budget_s=16.9)
    steps = history.measure(TRIAL)
    assert next(steps) is TRIAL
    with pytest.raises(StopIteration):
        steps.send(OUTCOME)
    assert history.spent_s == 7
    with pytest.raises(BudgetSpentError):
        next(history.measure(TRIAL))


def test_steps_are_recorded_and_told() -> None:
    told: list[Step] = []
    history = History(on_step=told.append)
    history.record(TRIAL, OUTCOME, 1, "undecided")
    history.record(TRIAL, OUTCOME, 1, "holds")
    assert told == history.steps
    assert json.loads(json.dumps(told[1].to_json())) == {
        "number": 1,
        "phase": "p",
        "batch_size": 25,
        "offload_threshold": 100,
        "rate_qps": 10,
        "queries": 4,
        "violations": 1,
        "verdict": "holds",
        "items_per_second": 100.0,
        "p50_ms": 2.0,
        "p95_ms": None,
        "p99_ms": None,
        "seconds": 7,
    }


def burst(most_seconds: float = 9.0) -> Trial:
    return replace(TRIAL, rate_qps=math.inf, warm_up=0, most_seconds=most_seconds)


def test_a_burst_gets_what_is_left() -> None:
    history = History(budget_s=10.0)
    steps = history.measure(burst())
    assert next(steps) == burst()
    with pytest.raises(StopIteration):
        steps.send(OUTCOME)
    assert next(history.measure(burst())) == burst(most_seconds=3.0)
    history.spent_s = 10.0
    with pytest.raises(BudgetSpentError):
        next(history.measure(burst()))


def test_a_burst_is_recorded_as_one() -> None:
    history = History()
    history.record_burst(burst(), OUTCOME, 12.5)
    step = history.steps[0].to_json()
    assert (step["verdict"], step["rate_qps"], step["items_per_second"]) == ("burst", 12.5, 125)
    assert (step["violations"], step["p50_ms"], step["p99_ms"]) == (0, None, None)
    json.dumps(step, allow_nan=False)


def test_a_share_of_the_budget_is_a_limit_for_a_while() -> None:
    history = History(budget_s=20.0)
    with history.at_most(16.0), history.at_most(30.0):
        assert history.left_s == 16
        history.spent_s = 7.0
        with pytest.raises(BudgetSpentError):
            next(history.measure(TRIAL))
    assert history.left_s == 13
    assert next(history.measure(TRIAL)) is TRIAL


def test_percentiles_are_latencies_that_were_measured() -> None:
    assert percentiles(np.arange(1.0, 101.0)) == (50.0, 95.0, 99.0)
    assert percentiles(np.array([])) == (None, None, None)
