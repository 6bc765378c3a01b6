"""The crew with threads as workers and a clock that stands still until it is told otherwise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from tests.serving.engine.conftest import Controlled, encoded
from tests.serving.engine.threads import ThreadStarter

from hotrow.data.raw import EncodedBlock
from hotrow.errors import InternalError
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

    def __call__(self) -> float:
        return self.now


Scenario = Callable[[Crew, Hanging, Clock], Awaitable[Any]]


def run(scenario: Scenario, *, times: int) -> Any:
    """Run a scenario with a worker that hangs so often; a task of n rows may take n seconds."""
    model, clock, room = Hanging(times), Clock(), Room(1 << 20)

    async def whole() -> Any:
        service = RankingService("sums", model, Limits())
        starter = ThreadStarter(lambda: service, room.memory)
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


def _ask(crew: Crew, *first: int) -> asyncio.Task[Any]:
    shape = RankingService("sums", Controlled(), Limits()).shape
    return asyncio.create_task(crew.score(encoded(np.array(first)), shape, None))


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

    run(scenario, times=0)


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

    assert run(scenario, times=0) == [1, 2]
