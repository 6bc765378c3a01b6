from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from tests.load.stub import Answer, Reply, Request, Stub

from hotrow.load.http.connection import ConnectionLostError
from hotrow.load.http.pool import Pool

Found = TypeVar("Found")
POST = [b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n", b"{}"]


def against(answer: Answer, use: Callable[[Pool, Stub], Awaitable[Found]]) -> Found:
    async def main() -> Found:
        async with Stub(answer) as stub:
            pool = Pool("127.0.0.1", stub.port)
            try:
                return await use(pool, stub)
            finally:
                pool.close()

    return asyncio.run(main())


def test_connections_are_as_many_as_requests_under_way() -> None:
    waiting: list[asyncio.Event] = []

    async def answer(request: Request) -> Reply:
        if len(waiting) < 5:
            waiting.append(asyncio.Event())
            if len(waiting) == 5:
                for event in waiting:
                    event.set()
            await waiting[-1].wait()
        return Reply(body=request.body)

    async def use(pool: Pool, stub: Stub) -> tuple[int, int]:
        answers = await asyncio.gather(*(pool.ask(POST) for _ in range(5)))
        assert [each.body for each in answers] == [b"{}"] * 5
        for _ in range(20):
            await pool.ask(POST)
        return pool.opened, stub.connections

    assert against(answer, use) == (5, 5)


def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    """The server closes after each answer without a word; the next request finds out."""

    async def answer(request: Request) -> Reply:
        return Reply()

    async def use(pool: Pool, stub: Stub) -> int:
        await pool.ask(POST)
        (connection,) = pool._all
        for writer in stub._writers:
            writer.close()
        assert connection.is_open, "nothing has told it yet"
        assert (await pool.ask(POST)).status == 200
        return pool.opened

    assert against(answer, use) == 2


def test_an_answer_cut_short_is_not_asked_for_again() -> None:
    async def answer(request: Request) -> Reply:
        return Reply(headers={"Content-Length": "99", "Connection": "close"})

    async def use(pool: Pool, stub: Stub) -> int:
        with pytest.raises(ConnectionLostError):
            await pool.ask(POST)
        return len(stub.requests)

    assert against(answer, use) == 1


def test_a_refused_connection_is_told() -> None:
    async def answer(request: Request) -> Reply:
        return Reply()

    async def use(pool: Pool, stub: Stub) -> None:
        await stub.__aexit__()
        with pytest.raises(ConnectionRefusedError):
            await pool.ask(POST)

    against(answer, use)
