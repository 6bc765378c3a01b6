"""Clients that send too much, too slowly, or no HTTP, over a socket."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.serving.listening import PATIENCE, Listening

from hotrow.serving import Limits, RankingService, ServerConfig, connections


@pytest.fixture
def server(scorer: Any) -> Iterator[Listening]:
    """Return a server that listens."""
    with Listening(
        lambda: RankingService("sums", scorer, Limits()), ServerConfig(port=0)
    ).running() as listening:
        yield listening


def connect(server: Listening) -> socket.socket:
    host, port = server.address.split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def answers(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:  # it was closed while more was on its way
        pass
    return found


def exchange(server: Listening, sent: bytes) -> tuple[int, dict[str, Any]]:
    with connect(server) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        head, _, body = answers(connection).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def is_answered(connection: socket.socket) -> bool:
    """Ask and tell whether the answer is as it should be; the connection stays open."""
    connection.sendall(LIVE + b"\r\n")
    found = b""
    while not found.endswith(b'{"live":true}'):
        part = connection.recv(65536)
        if not part:
            return False
        found += part
    return found.startswith(b"HTTP/1.1 200")


LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n"
RANK = b'POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{"candidates":[]}'


@pytest.mark.parametrize(
    "sent",
    [
        LIVE + b"A: " + b"x" * 40_000 + b"\r\n\r\n",
        LIVE + b"".join(b"A%d: xxxxxxxxxx\r\n" % number for number in range(3000)) + b"\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["value", "many", "address"],
)
def test_headers_that_are_too_long_are_refused(server: Listening, sent: bytes) -> None:
    status, answer = exchange(server, sent)
    assert status == 431
    assert answer == {"error": "the request's line and headers are longer than the 32768 bytes allowed"}


def test_many_requests_at_once_are_no_long_header(server: Listening) -> None:
    with connect(server) as connection:
        connection.sendall(
            LIVE
            + b"A: "
            + b"x" * 20_000
            + b"\r\n\r\n"
            + 30 * (LIVE + b"A: " + b"x" * 1000 + b"\r\n\r\n")
            + LIVE
        )
        found = b""
        while found.count(b"HTTP/1.1 200 OK") < 31:
            part = connection.recv(65536)
            assert part, found[-200:]
            found += part
        connection.sendall(b"Connection: close\r\n\r\n")
        assert answers(connection).count(b"HTTP/1.1 200 OK") == 1


def test_requests_that_wait_for_others_are_bounded(server: Listening) -> None:
    with connect(server) as connection:
        connection.sendall((1 + 2 * connections.MAX_PIPELINED) * (LIVE + b"\r\n"))
        found = answers(connection)
    assert found.endswith(b'"more than 32 requests wait on this connection for the one before them"}')
    with connect(server) as other:
        assert is_answered(other)


@pytest.mark.parametrize("start", [b"GET /", LIVE + b"A: "], ids=["address", "value"])
def test_headers_without_an_end_are_refused(server: Listening, start: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(start)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            connection.sendall(b"x" * 100_000_000)
    assert server.front.engine.state == "ready"


@pytest.mark.parametrize(
    "sent", [b"\0\1\2\3\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\x16\x03\x01\x02\x00", b"POST\r\n"]
)
def test_what_is_no_http_is_refused(server: Listening, sent: bytes) -> None:
    status, answer = exchange(server, sent)
    assert (status, answer) == (400, {"error": "the request is no valid HTTP"})


@pytest.mark.parametrize("whole", [1, 3])
@pytest.mark.parametrize(
    ("behind", "status"), [(b"\0\1\2\r\n\r\n", 400), (LIVE + b"A: " + b"x" * 40_000 + b"\r\n\r\n", 431)]
)
@pytest.mark.parametrize("kind", [LIVE + b"\r\n", RANK])
def test_whole_requests_are_answered_before_what_is_refused_behind_them(
    server: Listening, kind: bytes, behind: bytes, status: int, whole: int
) -> None:
    with connect(server) as connection:
        connection.sendall(kind * whole + behind)
        found = answers(connection)
    statuses = [int(part[:3]) for part in found.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200] * whole + [status]


def test_headers_that_come_too_slowly_are_refused(server: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.05)
    for sent in (b"", b"GET / HT"):
        with connect(server) as connection:
            connection.sendall(sent)
            assert answers(connection).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_body_that_comes_too_slowly_is_refused(server: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.05)
    with connect(server) as connection:
        connection.sendall(b"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        answer = answers(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"error":"the request\'s body did not come within 0.05 seconds"}')


def test_a_body_in_pieces_is_read(server: Listening) -> None:
    body = b'{"candidates": [{}]}'
    with connect(server) as connection:
        head = (
            f"POST /v1/rank HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode())
        for byte in body:
            connection.sendall(bytes([byte]))
        assert answers(connection).startswith(b"HTTP/1.1 200 ")


def test_connections_are_bounded(server: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    with connect(server) as first:
        assert is_answered(first)
        with connect(server) as second:
            assert answers(second).startswith(b"HTTP/1.1 503 ")
        assert is_answered(first)


def test_an_open_connection_may_be_idle_between_requests(
    server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.05)
    with connect(server) as connection, connect(server) as other:
        assert is_answered(connection)
        assert answers(other).startswith(b"HTTP/1.1 408 ")  # meanwhile more than that time has passed
        assert is_answered(connection)


def test_a_client_that_does_not_take_its_answer_is_left(
    server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.05)
    made, open_now = connections.Connection.connection_made, []

    def note(self: connections.Connection, transport: Any) -> None:
        open_now.append(self)
        made(self, transport)

    monkeypatch.setattr(connections.Connection, "connection_made", note)
    with connect(server) as slow, connect(server) as never, connect(server) as other:
        for client in (slow, never, other):
            assert is_answered(client)

        def fill_and_drain() -> None:  # as the transport does
            for connection in open_now[:2]:
                connection.pause_writing()
            open_now[0].resume_writing()

        open_now[0].loop.call_soon_threadsafe(fill_and_drain)
        assert never.recv(1) == b""
        assert is_answered(slow)
        assert is_answered(other)
