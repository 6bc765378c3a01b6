from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from tests.load.test_generator import Pairs

from hotrow.load.burst import measure_burst
from hotrow.load.query import LoadQuery, Status
from hotrow.load.sizes import parse_sizes
from hotrow.load.trial import TrialLoad
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Outcome, Trial

Send = Callable[[LoadQuery[Any]], Awaitable[Status]]


def measure(send: Send, *, most_open: int = 4, **fields: Any) -> Outcome:
    given: dict[str, Any] = {"queries": 10, "warm_up": 0, "stop_at_violations": 11, "most_seconds": 60.0}
    trial = Trial(knobs=Knobs(25), rate_qps=np.inf, phase="x", **(given | fields))
    sizes = parse_sizes("fixed:7")
    load = TrialLoad(send=send, queries=Pairs(), sizes=sizes, sla_ms=1e-9, most_open=most_open)
    return asyncio.run(measure_burst(load, trial, seed=3))


async def never(query: LoadQuery[Any]) -> Status:
    return await asyncio.Future()


def test_all_queries_are_sent_some_at_a_time() -> None:
    numbers: list[int] = []
    under_way: list[int] = []
    now = 0

    async def send(query: LoadQuery[Any]) -> Status:
        nonlocal now
        now += 1
        under_way.append(now)
        numbers.append(query.number)
        await asyncio.sleep(0)
        now -= 1
        return Status.OK

    outcome = measure(send)
    assert numbers == list(range(10))
    assert max(under_way) == 4
    assert np.isfinite(outcome.latencies_ms).all()
    assert outcome.latencies_ms.max() <= outcome.seconds * 1e3
    assert outcome.rows == 70


def test_what_is_refused_was_not_answered() -> None:
    async def send(query: LoadQuery[Any]) -> Status:
        return Status.SHED if query.number == 3 else Status.OK

    assert np.flatnonzero(np.isinf(measure(send).latencies_ms)).tolist() == [3]


def test_it_ends_after_its_seconds_and_drops_the_rest() -> None:
    dropped: list[int] = []

    async def send(query: LoadQuery[Any]) -> Status:
        try:
            return Status.OK if query.number < 6 else await never(query)
        except asyncio.CancelledError:
            dropped.append(query.number)
            raise

    outcome = measure(send, most_seconds=0.01)
    assert np.isfinite(outcome.latencies_ms).tolist() == [True] * 6 + [False] * 4
    assert dropped == [6, 7, 8, 9]


def test_a_defect_is_raised() -> None:
    async def send(query: LoadQuery[Any]) -> Status:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure(send)
