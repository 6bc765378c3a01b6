from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scheduling.planted import SLA_MS, Planted

from hotrow.scheduling.history import History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found, SearchConfig, search_rate
from hotrow.scheduling.trial import drive

CONFIG = SearchConfig(sla_ms=SLA_MS, percentile=95, clump=1, least_seconds=0.1)
KNOBS = Knobs(25)


def search(
    system: Planted,
    start: float,
    *,
    budget: float = 1e9,
    beat: float = 0,
    ceiling: float = math.inf,
) -> tuple[Found, History]:
    history = History(budget)
    steps = search_rate(KNOBS, start, "p", CONFIG, history, beat_qps=beat, ceiling_qps=ceiling)
    return drive(steps, system.measure), history


@given(capacity=st.floats(0.2, 1e5), start=st.floats(0.2, 1e5))
def test_without_noise_the_answer_is_within_the_precision(capacity: float, start: float) -> None:
    system = Planted(lambda knobs: capacity)
    found, _ = search(system, start)
    assert found.rate_qps <= capacity < found.failed_qps <= found.rate_qps * 1.0501
    assert found.complete
    assert len(system.trials) <= 36 + 6 * abs(np.log(capacity / start))


def test_a_setting_that_never_holds_has_no_rate() -> None:
    found, _ = search(Planted(lambda knobs: 0.01), 50)
    assert (found.rate_qps, found.failed_qps) == (0, CONFIG.floor_qps)


def test_a_setting_that_does_not_beat_the_best_is_given_up_at_once() -> None:
    system = Planted(lambda knobs: 99)
    found, _ = search(system, 50, beat=100)
    assert found.rate_qps == 0
    assert {trial.rate_qps for trial in system.trials} == {100}
    found, _ = search(Planted(lambda knobs: 300), 50, beat=100)
    assert 300 / 1.05 <= found.rate_qps <= 300


def test_a_promising_setting_is_asked_for_more_than_the_best_first() -> None:
    system = Planted(lambda knobs: 300)
    found, _ = search(system, 250, beat=100)
    assert system.trials[0].rate_qps == 250
    assert 300 / 1.05 <= found.rate_qps <= 300
    system = Planted(lambda knobs: 200)
    found, _ = search(system, 250, beat=100)
    assert list(dict.fromkeys(trial.rate_qps for trial in system.trials))[:2] == [250, 100]
    assert 200 / 1.05 <= found.rate_qps <= 200


@pytest.mark.parametrize("ceiling", [60.0, 150.0, 201.0, 400.0, 4000.0])
def test_a_ceiling_is_only_believed_until_it_is_known_better(ceiling: float) -> None:
    found, _ = search(Planted(lambda knobs: 200), 100, ceiling=ceiling)
    assert 200 / 1.0501 <= found.rate_qps <= 200
    assert found.failed_qps > 200


def test_no_rate_is_tried_that_cannot_be_sustained() -> None:
    system = Planted(lambda knobs: 200)
    search(system, 140, ceiling=220)
    assert max(trial.rate_qps for trial in system.trials) < 220


def test_short_of_time_clumps_are_counted_as_smaller() -> None:
    config = replace(CONFIG, clump=8, least_seconds=0)
    asked = []
    for budget in (1e9, 50.0, 20.0):
        system = Planted(lambda knobs: 200)
        drive(search_rate(KNOBS, 100, "p", config, History(budget)), system.measure)
        asked.append(system.trials[0].queries)
    assert asked == [59 * 8, 417, 167]


@pytest.mark.parametrize("seed", range(5))
def test_with_noise_it_is_near(seed: int) -> None:
    found, _ = search(Planted(lambda knobs: 200, rng=np.random.default_rng(seed)), 90)
    assert 200 * 0.85 <= found.rate_qps <= 200 * 1.1


def test_a_slow_spell_of_the_machine_does_not_cap_the_rate() -> None:
    system = Planted(lambda knobs: 200)
    clean, _ = search(system, 100)
    for number in range(1, len(system.trials)):
        found, _ = search(Planted(lambda knobs: 200, slow=frozenset({number})), 100)
        assert found.rate_qps >= clean.rate_qps / 1.06, number


def test_the_budget_ends_a_search_with_what_was_found() -> None:
    system = Planted(lambda knobs: 200)
    found, history = search(system, 50, budget=8.0)
    assert not found.complete
    assert 0 < found.rate_qps <= 200
    assert history.spent_s <= 8.0
    nothing, _ = search(system, 50, budget=1.0)
    assert (nothing.rate_qps, nothing.complete) == (0, False)


def test_impossible_searches_are_refused() -> None:
    for bad in ({"sla_ms": 0}, {"precision": 0}, {"factor": 1}, {"floor_qps": 0}):
        with pytest.raises(ValueError, match="expected"):
            SearchConfig(**{"sla_ms": 1, "percentile": 95, **bad})
