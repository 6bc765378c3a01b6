"""A client that leaves in the middle of its request."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from hotrow.serving import EngineConfig, Limits, RankingService
from hotrow.serving.app import build_app
from hotrow.serving.front import Front
from hotrow.serving.leaving import while_connected


def test_nothing_more_is_begun_for_a_client_that_has_left(
    make_client: Any,
    scorer: Any,
    infer_body: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = EngineConfig(memory_bytes=1 << 24, batch_size=1)
    client = make_client(lambda: RankingService("sums", scorer, Limits()), config=config)
    client.start()
    front = Front(client.engine, Limits())
    working, finish = threading.Semaphore(0), threading.Event()
    scored: list[int] = []

    def slow(block: Any) -> Any:
        scored.append(len(block))
        working.release()
        assert finish.wait(timeout=30)
        return block.dense[:, :1] * 0

    monkeypatch.setattr(scorer, "score_encoded", slow)

    async def scenario() -> list[Any]:
        leave = asyncio.Event()
        messages = iter([{"type": "http.request", "body": json.dumps(infer_body(8)).encode()}])
        sent: list[Any] = []

        async def receive() -> Any:
            for message in messages:
                return message
            await leave.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v2/models/sums/infer", "headers": []}
        request = asyncio.create_task(build_app(front)(scope, receive, send))
        while not working.acquire(blocking=False):
            await asyncio.sleep(0)
        leave.set()
        await request
        finish.set()
        while client.engine.crew.in_flight:
            await asyncio.sleep(0)
        return sent

    sent = client.loop.run(scenario())
    assert sent[0]["status"] == 499
    assert len(scored) < 8
    assert front.statistics.fail["CANCELED"].count == 1
    assert client.engine.memory_taken == 0


def test_a_client_that_leaves_when_all_is_done_cancels_nothing_after_it() -> None:
    async def scenario() -> None:
        leaves, loop = asyncio.Event(), asyncio.get_running_loop()
        scores: asyncio.Future[int] = loop.create_future()

        async def receive() -> Any:
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def both() -> None:
            await asyncio.sleep(0)  # the other waits by now
            loop.call_soon(scores.set_result, 7)
            leaves.set()

        meanwhile = loop.create_task(both())
        async with while_connected(Request({"type": "http"}, receive)):
            assert await scores == 7
        for _ in range(5):
            await asyncio.sleep(0)
        await meanwhile

    asyncio.run(scenario())
