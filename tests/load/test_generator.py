"""The generator against senders in this process; nothing here depends on how fast the machine is."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from hotrow.load.generator import AHEAD, LoadPlan, LoadRun, run_load
from hotrow.load.query import LoadQuery, Status
from hotrow.load.result import LoadResult
from hotrow.load.schedule import Schedule


class Pairs:
    """Contents that tell what was asked for."""

    def content(self, number: int, rows: int) -> tuple[int, int]:
        return number, rows


def plan(arrivals: list[float], *, first: int = 0, step: int = 1, **options: Any) -> LoadPlan:
    count = len(arrivals)
    schedule = Schedule(
        arrivals_s=np.array(arrivals),
        sizes=np.arange(1, count + 1),
        seconds=0.1,
        first=first,
        step=step,
    )
    return LoadPlan(schedule=schedule, queries=Pairs(), **options)


def burst(count: int) -> list[float]:
    """Return arrivals a tenth of a millisecond apart."""
    return [at * 1e-4 for at in range(count)]


async def accept(query: LoadQuery[Any]) -> Status:
    return Status.OK


def test_every_query_is_sent_once_in_order_with_its_content() -> None:
    seen: list[tuple[int, int, Any]] = []

    async def send(query: LoadQuery[Any]) -> Status:
        seen.append((query.number, query.rows, query.content))
        return Status.OK

    count = 3 * AHEAD + 5
    result = asyncio.run(run_load(send, plan(burst(count), first=4, step=3)))
    assert seen == [(4 + 3 * at, at + 1, (4 + 3 * at, at + 1)) for at in range(count)]
    assert (result.status == Status.OK).all()
    assert result.stopped_s is None
    assert result.invalid == ""


def test_a_part_without_queries_ends_at_once() -> None:
    result = asyncio.run(run_load(accept, plan([])))
    assert len(result.rows) == 0
    assert (result.stopped_s, result.invalid) == (None, "")


def test_times_count_from_the_scheduled_arrival() -> None:
    result = asyncio.run(run_load(accept, plan(burst(40))))
    np.testing.assert_array_equal(result.scheduled_s, burst(40))
    assert (result.lag_s >= 0).all(), "none is sent early"
    assert (result.latency_s >= result.lag_s).all(), "what the generator was late is part of the latency"


def test_a_stalled_loop_is_charged_to_the_queries_that_came_meanwhile() -> None:
    """No coordinated omission: the first query holds up everything until the others are long due."""
    clock: list[float] = []

    async def send(query: LoadQuery[Any]) -> Status:
        if query.number == 0:
            start = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() < start + 0.03:
                pass
        clock.append(asyncio.get_running_loop().time())
        return Status.OK

    result = asyncio.run(run_load(send, plan(burst(20))))
    assert (result.latency_s[1:] >= 0.028).all()
    assert (result.lag_s[1:] >= 0.028).all()


def test_the_loop_is_open() -> None:
    """The first query is answered only when the last one has been sent."""

    async def main() -> LoadResult:
        all_sent = asyncio.Event()

        async def send(query: LoadQuery[Any]) -> Status:
            if query.number == 299:
                all_sent.set()
            await all_sent.wait()
            return Status.OK

        return await run_load(send, plan(burst(300)))

    result = asyncio.run(main())
    assert (result.status == Status.OK).all()
    assert result.done_s[0] >= result.sent_s[-1]


def test_what_becomes_of_queries_is_recorded() -> None:
    answers = [Status.OK, Status.SHED, Status.EXPIRED, Status.FAILED, Status.OK]
    observed: list[tuple[float, Status]] = []

    async def send(query: LoadQuery[Any]) -> Status:
        if query.number == 4:
            raise ValueError("no such thing")
        return answers[query.number]

    async def main() -> tuple[LoadRun, LoadResult]:
        run = LoadRun(send, plan(burst(5)), observe=lambda *answer: observed.append(answer))
        return run, await run.finish(asyncio.get_running_loop().time())

    run, result = asyncio.run(main())
    assert result.status.tolist() == [1, 2, 3, 4, 4]
    assert result.first_failure == "ValueError: no such thing"
    assert run.counts == {
        Status.UNSENT: 5,
        Status.OK: 1,
        Status.SHED: 1,
        Status.EXPIRED: 1,
        Status.FAILED: 2,
    }
    assert [status for _, status in observed] == [*answers[:4], Status.FAILED]
    assert [latency for latency, _ in observed] == pytest.approx(result.latency_s.tolist())


def test_too_many_unanswered_queries_make_a_run_invalid() -> None:
    async def send(query: LoadQuery[Any]) -> Status:
        return await asyncio.Future()

    result = asyncio.run(run_load(send, plan(burst(10), max_outstanding=4, grace_seconds=0)))
    assert result.invalid.startswith("4 queries were unanswered at 0.000 s, the most that are kept open")
    assert (result.status != Status.UNSENT).sum() == 4
    assert np.isnan(result.sent_s[4:]).all()


def test_what_has_no_answer_when_the_grace_ends_has_failed() -> None:
    cancelled = []

    async def send(query: LoadQuery[Any]) -> Status:
        try:
            if query.number == 1:
                await asyncio.Future()
        except asyncio.CancelledError:
            cancelled.append(query.number)
            raise
        return Status.OK

    result = asyncio.run(run_load(send, plan(burst(3), grace_seconds=0.01)))
    assert result.status.tolist() == [Status.OK, Status.FAILED, Status.OK]
    assert np.isnan(result.done_s[1])
    assert result.first_failure == "no answer within 0.01 s after the last query was sent"
    assert cancelled == [1]


def test_it_stops_when_told_to() -> None:
    async def main() -> LoadResult:
        stop = asyncio.Event()

        async def send(query: LoadQuery[Any]) -> Status:
            if query.number == 2:
                stop.set()
            return Status.OK

        return await run_load(send, plan([0, 0.001, 0.002, 3600]), stop=stop)

    result = asyncio.run(main())
    assert result.status.tolist() == [Status.OK] * 3 + [Status.UNSENT]
    assert result.stopped_s == 3600
    assert result.invalid == ""


def test_an_observer_may_stop_it() -> None:
    async def main() -> LoadResult:
        stop = asyncio.Event()
        return await run_load(accept, plan([0, 3600]), stop=stop, observe=lambda *_: stop.set())

    assert asyncio.run(main()).status.tolist() == [Status.OK, Status.UNSENT]
