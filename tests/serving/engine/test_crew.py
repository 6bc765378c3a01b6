"""The crew with threads as workers and a clock that stands still until it is told otherwise."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import numpy as np
import pytest
from tests.serving.engine.conftest import Controlled, encoded
from tests.serving.engine.threads import ThreadStarter

from hotrow.data.raw import EncodedBlock
from hotrow.errors import InternalError, RequestError
from hotrow.serving import Limits, RankingService
from hotrow.serving.engine import crew as crew_module
from hotrow.serving.engine.crew import Crew
from hotrow.serving.engine.flight import Room
from hotrow.serving.engine.posts import Post

PATIENCE = 60


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start workers again at once, those too that have ended before they did anything."""
    monkeypatch.setattr(crew_module, "_RESTART_SECONDS", 0.0)


class Hanging(Controlled):
    """Never scores some of the rows that begin with 13.

    Attributes:
        times: how often it hangs.
        hung: set when it does.
        free: lets the threads that hang end.
    """

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.hung = threading.Semaphore(0)
        self.free = threading.Event()
        self.before = self._hang

    def _hang(self, block: EncodedBlock) -> None:
        if block.dense[0, 0] == 13 and self.times:
            self.times -= 1
            self.hung.release()
            assert self.free.wait(PATIENCE)
            raise SystemExit


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: dict[asyncio.Future[None], float] = {}

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], /, *words: Any) -> asyncio.Future[None]:
        timer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer.add_done_callback(lambda _: self.timers.pop(timer))
        timer.add_done_callback(lambda _: None if timer.cancelled() else callback(*words))
        self.timers[timer] = when
        return timer

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for timer, when in self.timers.items():
            if when <= self.now:
                timer.set_result(None)


Scenario = Callable[[Crew, Hanging, Clock], Awaitable[Any]]


def run(scenario: Scenario, *, times: int = 0, make: type[ThreadStarter] = ThreadStarter) -> Any:
    """Run a scenario with a worker that hangs so often; a task of n rows may take n seconds."""
    model, clock, room = Hanging(times), Clock(), Room(1 << 20)

    async def whole() -> Any:
        service = RankingService("sums", model, Limits())
        starter = make(lambda: service, room.memory)
        await starter.load()
        crew = Crew(
            starter,
            room,
            posts=[Post()],
            batch_size=lambda: 4,
            clock=clock,
            patience=float,
            observe=lambda rows, seconds: None,
        )
        await crew.start()
        try:
            async with asyncio.timeout(PATIENCE):
                return await scenario(crew, model, clock)
        finally:
            model.free.set()
            crew.close()

    try:
        return asyncio.run(whole())
    finally:
        room.memory.close()


def _ask(crew: Crew, *first: int, deadline: float | None = None) -> asyncio.Task[Any]:
    shape = RankingService("sums", Controlled(), Limits()).shape
    return asyncio.create_task(crew.score(encoded(np.array(first)), shape, deadline))


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def _hung(model: Hanging) -> None:
    await _until(lambda: model.hung.acquire(blocking=False))


def test_a_worker_that_hangs_is_replaced_and_its_work_done_again() -> None:
    async def scenario(crew: Crew, model: Hanging, clock: Clock) -> tuple[Any, Any]:
        stuck, behind = _ask(crew, 13, 14), _ask(crew, 15)
        await _hung(model)
        clock.now = 2.0
        crew.watch()
        assert crew.restarts == 0
        clock.now = 2.1
        crew.watch()
        assert crew.restarts == 1
        return await stuck, await behind

    stuck, behind = run(scenario, times=1)
    np.testing.assert_array_equal(stuck.values[:, 0], [13, 14])
    assert behind.values == 15


def test_a_request_over_which_three_workers_hang_is_given_up() -> None:
    async def scenario(crew: Crew, model: Hanging, clock: Clock) -> Any:
        stuck, behind = _ask(crew, 13), _ask(crew, 15)
        for _ in range(3):
            await _hung(model)
            clock.now += 1.5
            crew.watch()
        with pytest.raises(InternalError, match="3 workers ended over this request"):
            await stuck
        return await behind

    assert run(scenario, times=9).values == 15


def test_time_counts_from_when_a_task_could_begin() -> None:
    async def scenario(crew: Crew, model: Hanging, clock: Clock) -> None:
        gate = threading.Semaphore(0)
        model.before = lambda block: gate.acquire(timeout=PATIENCE)
        first, second = _ask(crew, 1), _ask(crew, 2)
        await asyncio.sleep(0)
        clock.now = 0.9
        gate.release()
        await first
        clock.now = 1.8
        crew.watch()
        assert crew.restarts == 0
        gate.release()
        await second

    run(scenario)


def test_an_answer_that_is_there_counts_however_late_it_is_read() -> None:
    async def scenario(crew: Crew, model: Hanging, clock: Clock) -> Any:
        done = threading.Event()
        model.before = lambda block: done.set() if block.dense[0, 0] == 2 else None
        queries = _ask(crew, 1), _ask(crew, 2)
        await asyncio.sleep(0)
        assert done.wait(PATIENCE)  # and this process has read nothing meanwhile
        clock.now = 1.5
        crew.watch()
        assert crew.restarts == 0
        return [(await query).values.item() for query in queries]

    assert run(scenario) == [1, 2]


def test_a_deadline_holds_whatever_the_workers_do() -> None:
    async def scenario(crew: Crew, model: Hanging, clock: Clock) -> None:
        queries = {name: _ask(crew, 13, deadline=limit) for name, limit in (("begun", 0.5), ("given", 0.6))}
        queries |= {"waits": _ask(crew, 1, deadline=0.7), "has time": _ask(crew, 2, deadline=9.0)}
        await _hung(model)
        clock.advance(0.5)
        with pytest.raises(RequestError, match="deadline passed") as caught:
            await queries.pop("begun")
        assert caught.value.status == 504
        assert not any(query.done() for query in queries.values())
        clock.advance(0.2)
        for name in ("given", "waits"):
            with pytest.raises(RequestError, match="deadline passed"):
                await queries.pop(name)
        assert crew.queued_rows == 1
        clock.advance(1.0)
        crew.watch()
        assert (await queries.pop("has time")).values == 2
        await crew.finish()
        assert (clock.timers, crew.in_flight) == ({}, 0)

    run(scenario, times=1)


def test_queries_without_a_deadline_need_no_timer() -> None:
    async def scenario(crew: Crew, model: Hanging, clock: Clock) -> None:
        query = _ask(crew, 1)
        await asyncio.sleep(0)
        assert not clock.timers
        await query

    run(scenario)


def test_who_waits_for_the_end_rests_until_then() -> None:
    """A query that was given up, but whose work goes on, is not asked again and again."""

    async def scenario(crew: Crew, model: Hanging, clock: Clock) -> int:
        query = _ask(crew, 13)
        await _hung(model)
        query.cancel()
        await asyncio.wait([query])
        steps: list[object] = []
        end = asyncio.create_task(_counted(crew.finish(), steps))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not end.done()
        model.free.set()
        await end
        assert crew.in_flight == 0
        return len(steps)

    assert run(scenario, times=1) == 1


async def _counted(coroutine: Coroutine[Any, Any, None], steps: list[object]) -> None:
    """Run a coroutine and note how often it waits."""
    await _Steps(coroutine, steps)


class _Steps:
    def __init__(self, coroutine: Coroutine[Any, Any, None], steps: list[object]) -> None:
        self._coroutine = coroutine
        self._steps = steps

    def __await__(self) -> Generator[Any, None, None]:
        for step in self._coroutine.__await__():
            self._steps.append(step)
            yield step


class Unreliable(ThreadStarter):
    """Starts no workers while it is broken, after the first.

    Attributes:
        attempts: to start one.
        broken: what is raised.
    """

    attempts = 0
    broken: Exception | None = None

    async def start(self, channel: socket.socket, post: Post) -> int | None:
        type(self).attempts += 1
        if (error := type(self).broken) is not None:
            raise error
        return await super().start(channel, post)


@pytest.mark.parametrize(
    "error", [OSError(24, "Too many open files"), InternalError("the artifact has changed"), ValueError()]
)
def test_without_workers_requests_fail_until_there_are_some(error: Exception) -> None:
    class Starter(Unreliable):
        pass

    async def scenario(crew: Crew, model: Hanging, clock: Clock) -> Any:
        queries = _ask(crew, 13), _ask(crew, 1), _ask(crew, 2, deadline=9.0)
        await _hung(model)
        Starter.broken = error
        model.free.set()
        for query in queries:
            with pytest.raises(RequestError, match="no worker runs") as caught:
                await query
            assert caught.value.status == 503
        assert (crew.stalled, crew.size, crew.in_flight, crew.queued_rows) == (True, 0, 0, 0)
        with pytest.raises(RequestError, match="no worker runs"):
            await _ask(crew, 3)
        await _until(lambda: Starter.attempts > 5)
        Starter.broken = None
        await _until(lambda: crew.size == 1)
        assert not crew.stalled
        return await _ask(crew, 4)

    assert run(scenario, times=1, make=Starter).values == 4
