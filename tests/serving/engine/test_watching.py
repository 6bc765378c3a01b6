"""What the engine does beside scoring, all the time: it watches its workers and adapts; and its end."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.serving.engine.conftest import Controlled, Run, encoded
from tests.serving.engine.threads import ThreadStarter

from hotrow.errors import InternalError
from hotrow.serving import Engine, EngineConfig, Limits, RankingService
from hotrow.serving.engine import engine as engine_module
from hotrow.serving.engine.crew import Crew

PATIENCE = 60


@pytest.fixture(autouse=True)
def without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch and adapt in every pass of the event loop."""
    monkeypatch.setattr(engine_module, "_WATCH_SECONDS", 0.0)
    monkeypatch.setattr(engine_module, "_WINDOW_SECONDS", 1e-9)


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


def test_queries_without_rows_do_not_end_the_watch(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[Crew] = []
    monkeypatch.setattr(Crew, "watch", lambda crew: looks.append(crew))

    async def scenario(engine: Engine) -> None:
        for _ in range(3):
            await asyncio.gather(*(engine.score(encoded(np.arange(0))) for _ in range(100)))
            looks.clear()
            await _until(lambda: len(looks) > 2)

    run(scenario, adapt=True)
    assert not caplog.records


def test_a_round_that_fails_is_logged_and_not_the_last(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = 0

    def watch(_: Crew) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(Crew, "watch", watch)
    run(lambda engine: _until(lambda: rounds > 2))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_workers_of_a_model_that_retires_are_watched_too(
    run: Run, model: Controlled, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: set[Crew] = set()
    monkeypatch.setattr(Crew, "watch", lambda crew: looked.add(crew))
    free = threading.Event()
    model.before = lambda block: free.wait(PATIENCE)

    async def scenario(engine: Engine) -> Any:
        before = engine.crew
        begun = asyncio.create_task(engine.score(encoded(np.arange(3))))
        await _until(lambda: before.in_flight)
        service = RankingService("sums", Controlled(), Limits())
        await engine.load(lambda room: ThreadStarter(lambda: service, room.memory))
        looked.clear()
        await _until(lambda: engine.crew in looked)
        assert before in looked
        free.set()
        return await begun

    np.testing.assert_array_equal(run(scenario).values[:, 0], np.arange(3))


@pytest.mark.parametrize("what", ["the model", "its predecessor"])
def test_whatever_fails_at_the_end_the_rest_is_closed(
    model: Controlled, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def starter(room: Any) -> ThreadStarter:
        return ThreadStarter(lambda: RankingService("sums", model, Limits()), room.memory)

    async def scenario() -> None:
        engine = Engine(starter, EngineConfig(memory_bytes=1 << 20))
        await engine.start()
        before = engine.crew
        await engine.load()
        fails, other = (engine.crew, before) if what == "the model" else (before, engine.crew)
        closed: list[Crew] = []

        def close(crew: Crew) -> None:
            closed.append(crew)
            if crew is fails:
                raise InternalError("it does not end")
            crew_close(crew)

        crew_close = Crew.close
        monkeypatch.setattr(Crew, "close", close)
        descriptor = engine._room.memory.descriptor
        with pytest.raises(InternalError, match="does not end"):
            await engine.close()
        assert {fails, other} == {*closed}
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(descriptor)
        crew_close(fails)

    asyncio.run(scenario())
