"""Signals that come while a model is loaded."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.serving.conftest import SumOfI1
from tests.serving.engine.threads import ThreadStarter

from hotrow.serving import Engine, EngineConfig, Limits, RankingService, ServerConfig
from hotrow.serving.engine.workers import Greeting
from hotrow.serving.server import Running
from hotrow.serving.sockets import listen

PATIENCE = 60

Loads = list[asyncio.Event]
Scenario = Callable[[Running, Loads], Awaitable[Any]]


def run(scenario: Scenario) -> Running:
    """Run a server beside a scenario, which is to end it; each load waits for its event."""
    loads: Loads = []

    class Gated(ThreadStarter):
        async def load(self) -> Greeting:
            loads.append(asyncio.Event())
            await loads[-1].wait()
            return await super().load()

    service = RankingService("sums", SumOfI1(), Limits())

    async def whole() -> Running:
        engine = Engine(lambda room: Gated(lambda: service, room.memory), EngineConfig(memory_bytes=1 << 20))
        with listen("127.0.0.1", 0) as listener:
            running = Running(engine, ServerConfig(port=0, drain_seconds=3600), listener, lambda served: None)
            server = asyncio.create_task(running.run())
            async with asyncio.timeout(PATIENCE):
                await _until(lambda: loads)
                await scenario(running, loads)
                await server
        return running

    return asyncio.run(whole())


async def _until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def _send(number: signal.Signals) -> None:
    """Send a signal to this process, and let it arrive."""
    os.kill(os.getpid(), number)
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_load_is_no_reason_to_go_on(number: signal.Signals) -> None:
    running = run(lambda running, loads: _send(number))
    assert running.interrupted == (number == signal.SIGINT)
    assert not running.front.engine.loaded


def test_however_often_a_reload_is_asked_for_one_more_follows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hotrow.serving.server")

    def changes() -> list[str]:
        lines = (record.getMessage() for record in caplog.records)
        return [line for line in lines if line.startswith("serving")]

    async def scenario(running: Running, loads: Loads) -> None:
        loads[0].set()
        await _until(lambda: running.front.engine.loaded)
        await _send(signal.SIGHUP)
        await _until(lambda: len(loads) == 2)
        for _ in range(3):
            await _send(signal.SIGHUP)
        assert len(loads) == 2
        loads[1].set()
        await _until(lambda: len(loads) == 3)
        loads[2].set()
        await _until(lambda: len(changes()) == 2)
        await _send(signal.SIGHUP)
        await _until(lambda: len(loads) == 4)
        await _send(signal.SIGINT)

    run(scenario)
    assert changes() == ["serving version 1 of sums"] * 2
