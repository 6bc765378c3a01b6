from __future__ import annotations

import numpy as np
from tests.scheduling.planted import SLA_MS, Planted

from hotrow.scheduling.confirm import ATTEMPTS, Confirmed, confirm
from hotrow.scheduling.history import History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found, SearchConfig
from hotrow.scheduling.trial import drive

CONFIG = SearchConfig(sla_ms=SLA_MS, percentile=95, clump=1, least_seconds=0.1)


def run(
    system: Planted, rate: float, *, clump: float = 1, budget: float = 1e9, share: float = 1e9
) -> tuple[Confirmed, History]:
    found = Found(knobs=Knobs(25), rate_qps=rate, failed_qps=rate * 1.05, clump=clump)
    history = History(budget)
    return drive(confirm(found, "again", CONFIG, history, share_s=share), system.measure), history


def test_a_rate_that_holds_is_confirmed_with_as_many_queries_as_clumps_call_for() -> None:
    confirmed, history = run(Planted(lambda knobs: 100), 90, clump=5)
    assert (confirmed.rate_qps, confirmed.ending, confirmed.full) == (90, "held", True)
    assert confirmed.answer is not None
    assert confirmed.answer.latencies_ms.size == history.steps[0].queries == 117 * 5


def test_a_rate_found_by_luck_goes_down_until_it_holds() -> None:
    confirmed, history = run(Planted(lambda knobs: 100), 110)
    assert confirmed.rate_qps == 110 / 1.05 / 1.05**2
    assert len({step.rate_qps for step in history.steps}) == 3
    assert history.steps[-1].verdict == "holds"


def test_what_is_never_confirmed_is_said_to_be_so() -> None:
    confirmed, history = run(Planted(lambda knobs: 1), 100)
    assert (confirmed.answer, confirmed.ending) == (None, "failed")
    assert len({step.rate_qps for step in history.steps}) == ATTEMPTS
    confirmed, _ = run(Planted(lambda knobs: 100), 50, budget=1)
    assert (confirmed.answer, confirmed.rate_qps, confirmed.ending) == (None, 50, "unfinished")


def test_short_of_time_it_counts_smaller_clumps_and_says_so() -> None:
    confirmed, history = run(Planted(lambda knobs: 100), 90, clump=50, share=6 * 117 * 5 / 90)
    assert (confirmed.ending, confirmed.full) == ("held", False)
    assert history.steps[0].queries == 117 * 5


def test_false_confirmations_are_as_rare_as_promised() -> None:
    """All rates down to two thirds of it are beyond the capacity, by a little or much."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(300):
        confirmed, _ = run(Planted(lambda knobs: 100, rng=rng), 101)
        wrong += confirmed.answer is not None and confirmed.rate_qps > 100
    assert wrong <= 300 * 0.01 + 3 * (300 * 0.01) ** 0.5
