from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from tests.load.test_generator import Pairs

from hotrow.load.query import LoadQuery, Status
from hotrow.load.result import LoadResult
from hotrow.load.schedule import schedule_queries
from hotrow.load.sizes import parse_sizes
from hotrow.load.trial import TrialLoad, measure_trial
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Outcome, Trial

Send = Callable[[LoadQuery[Any]], Awaitable[Status]]
SIZES = parse_sizes("normal:10,3")


def measure(send: Send, *, sla_ms: float = 60_000, **fields: Any) -> tuple[Outcome, LoadResult]:
    given: dict[str, Any] = {"rate_qps": 5000.0, "queries": 100, "warm_up": 20, "stop_at_violations": 50}
    trial = Trial(knobs=Knobs(batch_size=25, offload_threshold=None), phase="x", **(given | fields))
    load = TrialLoad(send=send, queries=Pairs(), sizes=SIZES, sla_ms=sla_ms)
    return asyncio.run(measure_trial(load, trial, seed=3))


async def never(query: LoadQuery[Any]) -> Status:
    return await asyncio.Future()


def test_a_trial_measures_what_it_is_asked_for() -> None:
    numbers: list[int] = []

    async def send(query: LoadQuery[Any]) -> Status:
        numbers.append(query.number)
        return Status.SHED if query.number in (3, 50, 51) else Status.OK

    outcome, result = measure(send)
    assert numbers == list(range(120))
    assert len(outcome.latencies_ms) == 100
    assert np.flatnonzero(np.isinf(outcome.latencies_ms)).tolist() == [30, 31]
    assert outcome.count_violations(60_000) == 2
    assert outcome.rows == result.rows[20:].sum()
    assert outcome.seconds >= result.scheduled_s[-1]


def test_it_stops_when_the_verdict_is_certain() -> None:
    """Nothing is answered: queries are late as soon as the SLA has passed, and the rest is not sent."""
    outcome, result = measure(
        never, sla_ms=1, rate_qps=2000.0, queries=2500, warm_up=5, stop_at_violations=10
    )
    assert 10 <= len(outcome.latencies_ms) < 2500
    assert np.isinf(outcome.latencies_ms).all()
    assert outcome.count_violations(1) >= 10
    assert (result.status == Status.UNSENT).any()


def test_what_is_late_at_the_end_is_infinite() -> None:
    async def send(query: LoadQuery[Any]) -> Status:
        return Status.OK if query.number else await never(query)

    outcome, _ = measure(send, sla_ms=2, queries=20, warm_up=0, stop_at_violations=1000)
    assert np.isinf(outcome.latencies_ms[0])
    assert len(outcome.latencies_ms) == 20


def test_schedules_of_a_number_of_queries() -> None:
    schedule = schedule_queries(200.0, 4000, warm_up=1000, sizes=SIZES, seed=1)
    assert len(schedule) == len(schedule.sizes) == 5000
    assert (schedule.arrivals_s >= schedule.warmup_seconds).sum() == 4000
    assert schedule.arrivals_s[-1] == pytest.approx(25, rel=0.05)
    again = schedule_queries(400.0, 4000, warm_up=0, sizes=SIZES, seed=1)
    np.testing.assert_allclose(again.arrivals_s, schedule.arrivals_s[:4000] / 2)
    assert again.warmup_seconds == 0
