from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from hotrow.load.http.connection import Answer, Connection, ConnectionLostError

Found = TypeVar("Found")
GET = [b"GET / HTTP/1.1\r\n\r\n"]


def against(replies: list[bytes], use: Callable[[Connection], Awaitable[Found]]) -> Found:
    """Use a connection to a server that sends one reply a request, and closes after the last."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            for reply in replies:
                await reader.readuntil(b"\r\n\r\n")
                for at in range(len(reply)):  # byte by byte, as a slow network may
                    writer.write(reply[at : at + 1])
                    await writer.drain()

    async def main() -> Found:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
            try:
                return await use(connection)
            finally:
                connection.close()

    return asyncio.run(main())


def ask(replies: list[bytes]) -> Answer:
    return against(replies, lambda connection: connection.ask(GET))


def test_an_answer_of_given_length() -> None:
    answer = ask([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ninference-header-content-length: 3\r\n\r\nhello"])
    assert answer == Answer(200, b"hello", 3)


def test_an_answer_in_chunks_after_an_interim_one() -> None:
    answer = ask(
        [
            b"HTTP/1.1 100 Continue\r\n\r\n"
            b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        ]
    )
    assert answer == Answer(503, b"hello", None)


def test_one_connection_serves_many_requests() -> None:
    async def use(connection: Connection) -> list[bytes]:
        return [(await connection.ask(GET)).body for _ in range(3)]

    replies = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(3)]
    assert against(replies, use) == [b"0", b"1", b"2"]


def test_it_is_closed_when_the_server_says_so() -> None:
    async def use(connection: Connection) -> bool:
        await connection.ask(GET)
        return connection.is_open

    assert not against([b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"], use)
    assert against([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] * 2, use)


def test_a_closed_connection_is_told() -> None:
    with pytest.raises(ConnectionLostError, match="closed the connection without an answer") as caught:
        ask([b""])
    assert caught.value.was_silent
    with pytest.raises(ConnectionLostError) as caught:
        ask([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"])
    assert not caught.value.was_silent


def test_what_is_not_http_is_told() -> None:
    with pytest.raises(ConnectionLostError, match="is not HTTP"):
        ask([b"SSH-2.0-x\r\n\r\n"])


def test_a_cancelled_request_ends_its_connection() -> None:
    async def use(connection: Connection) -> bool:
        task = asyncio.ensure_future(connection.ask(GET))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return connection.is_open

    assert not against([b""], use)
