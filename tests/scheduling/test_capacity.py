from __future__ import annotations

import numpy as np
import pytest
from tests.scheduling.planted import ROWS, SUSTAINED, Planted

from hotrow.scheduling.capacity import FEWEST, LONG_ENOUGH_S, MOST, Capacities
from hotrow.scheduling.history import BudgetSpentError, History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.simulate import Linear
from hotrow.scheduling.simulated import SimulatedSystem
from hotrow.scheduling.trial import drive

KNOBS, OTHER = Knobs(25), Knobs(50)


def capacities(history: History | None = None) -> Capacities:
    return Capacities(ROWS, history or History())


@pytest.mark.parametrize("qps", [0.4, 3.0, 90.0, 1e3, 1e6])
def test_it_is_what_a_setting_sustains(qps: float) -> None:
    system, history = Planted(lambda knobs: qps), History()
    found = drive(capacities(history).of(KNOBS), system.measure)
    # Of a burst that is cut short at most one query is half done.
    assert SUSTAINED * qps * (1 - 1 / (2 * SUSTAINED * qps)) <= found <= SUSTAINED * qps * 1.0001
    assert {step.verdict for step in history.steps} == {"burst"}
    assert history.steps[-1].rate_qps == found
    assert all(trial.is_burst and trial.warm_up == 0 for trial in system.trials)


def test_bursts_grow_until_they_are_long_enough() -> None:
    system, history = Planted(lambda knobs: 800), History()
    mine = capacities(history)
    drive(mine.of(KNOBS), system.measure)
    assert [step.queries for step in history.steps] == [FEWEST, 4 * FEWEST, 16 * FEWEST]  # of 450 wanted
    assert [step.seconds >= LONG_ENOUGH_S for step in history.steps] == [False, False, True]
    drive(mine.of(OTHER), system.measure)
    assert len(history.steps) == 4, "the next setting is about as fast, so one burst will do"
    fast = History()
    drive(capacities(fast).of(KNOBS), Planted(lambda knobs: 1e7).measure)
    assert fast.steps[-1].queries == MOST


def test_slow_settings_cost_two_seconds() -> None:
    history = History()
    mine = capacities(history)
    drive(mine.of(KNOBS), Planted(lambda knobs: 4).measure)
    assert history.spent_s == pytest.approx(2.0)
    assert mine.known == {KNOBS: pytest.approx(5.0)}


def test_what_answers_nothing_is_waited_for_and_then_unknown() -> None:
    history = History()
    mine = capacities(history)
    found = drive(mine.of(KNOBS), Planted(lambda knobs: 1e-9).measure)
    assert (found, mine.best, mine.best_qps) == (0, None, 0)
    assert history.spent_s < 200
    with pytest.raises(BudgetSpentError):
        drive(capacities(History(10.0)).of(KNOBS), Planted(lambda knobs: 1e-9).measure)


def test_a_second_chance_is_given_once_and_the_better_counts() -> None:
    factors = iter((0.5, 1.0, 1.0))  # the second burst is too short, so there is a third
    system = Planted(lambda knobs: 100 * next(factors))
    mine = capacities()
    assert drive(mine.of(KNOBS), system.measure) == pytest.approx(62.5)
    assert drive(mine.of(KNOBS, 60), system.measure) == pytest.approx(62.5)
    assert drive(mine.of(KNOBS, 100), system.measure) == pytest.approx(125)
    assert drive(mine.of(KNOBS, 200), system.measure) == pytest.approx(125)
    assert len(system.trials) == 3
    assert mine.best == KNOBS


def test_what_is_cold_is_measured_until_it_is_warm() -> None:
    factors = iter((0.2, 0.4, 0.7, 0.9, 1.0, 1.02))
    system = Planted(lambda knobs: 40 * next(factors))
    mine = capacities()
    drive(mine.warm_up(KNOBS), system.measure)
    assert mine.known[KNOBS] == pytest.approx(1.02 * 50)
    assert next(factors, None) is None
    unknown = capacities()
    drive(unknown.warm_up(KNOBS), Planted(lambda knobs: 1e-9).measure)
    assert unknown.known == {KNOBS: 0}


def test_sizes_that_a_burst_happens_to_have_do_not_matter() -> None:
    """What the workers of a simulated system can do is known: a query's mean time, over two workers."""
    sizes = (10, 1000)
    service = Linear(0.0, 0.1)
    system = SimulatedSystem(
        workers=2, service=service, sizes=sizes, rng=np.random.default_rng(0), sla_ms=1.0
    )
    for _ in range(10):
        found = drive(Capacities(505, History()).of(KNOBS), system.measure)
        assert found == pytest.approx(2 * 1000 / (0.1 * 505), rel=0.02)
