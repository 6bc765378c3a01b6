"""Scoring requests that are answered without ASGI: the same answers, and what goes the ordinary way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.serving.listening import PATIENCE, Listening

from hotrow.errors import InternalError, RequestError
from hotrow.serving import Limits, RankingService, ServerConfig
from hotrow.serving.app import Addresses
from hotrow.serving.exchange import Direct, Exchange
from hotrow.serving.security import Guard

INFER, RANK = "/v2/models/sums/infer", "/v1/rank"


@pytest.fixture
def server(scorer: Any) -> Iterator[Listening]:
    """Return a server that listens."""
    limits = Limits(max_body_bytes=20_000, max_held_bytes=30_000, max_rows=64)
    config = ServerConfig(port=0, limits=limits)
    with Listening(lambda: RankingService("sums", scorer, limits), config).running() as listening:
        yield listening


def connect(server: Listening) -> socket.socket:
    host, port = server.address.split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def request(path: str, body: bytes, *headers: str, chunked: bool = False) -> bytes:
    """Return a request; a chunked one is never answered by an exchange."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", length, *headers, "", ""])
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked and body else body
    return head.encode() + (sent if body or not chunked else b"0\r\n\r\n")


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the next answer."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += receive(connection)
    head, _, body = found.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += receive(connection)
    assert len(body) == int(headers["content-length"])
    return int(status.split()[1]), headers, body


def receive(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    assert part, "the server closed the connection"
    return part


def answered(server: Listening, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    with connect(server) as connection:
        connection.sendall(sent)
        status, headers, body = read_answer(connection)
    headers.pop("date")
    return status, headers, body


def cases(infer: dict[str, Any]) -> dict[str, tuple[str, bytes, tuple[str, ...]]]:
    whole = json.dumps(infer).encode()
    binary = json.dumps(infer | {"parameters": {"binary_data_output": True}}).encode()
    return {
        "json": (INFER, whole, ()),
        "binary": (INFER, binary, (f"Inference-Header-Content-Length: {len(binary)}",)),
        "rank": (RANK, b'{"candidates": [{"I1": 3}, {"I1": 7}], "top_k": 1}', ()),
        "deadline": (INFER, whole, ("Deadline-Ms: 60000",)),
        "late": (INFER, whole, ("Deadline-Ms: 0",)),
        "no deadline": (INFER, whole, ("Deadline-Ms: soon",)),
        "no json": (INFER, b"{", ()),
        "no rank": (RANK, b'{"candidates": 1}', ()),
        "nothing": (INFER, b"", ()),
        "no length": (INFER, whole, ("Inference-Header-Content-Length: x",)),
        "wrong length": (INFER, whole, ("Inference-Header-Content-Length: 999999",)),
        "too many": (RANK, b'{"candidates": [' + b"{}," * 64 + b"{}]}", ()),
        "too long": (RANK, b" " * 20_001, ()),
        "compressed": (RANK, b"{}", ("Content-Encoding: gzip",)),
        "twice": (RANK, b'{"candidates": [{}]}', ("Deadline-Ms: 60000", "Deadline-Ms: 60000")),
        "no model": ("/v2/models/other/infer", whole, ()),
    }


@pytest.mark.parametrize("name", cases({"inputs": []}))
def test_answers_are_those_of_the_ordinary_way(
    server: Listening, infer_body: Callable[..., dict[str, Any]], name: str
) -> None:
    path, body, headers = cases(infer_body(3))[name]
    direct = answered(server, request(path, body, *headers))
    ordinary = answered(server, request(path, body, *headers, chunked=True))
    assert direct == ordinary
    assert (direct[0] == 200) == (name in ("json", "binary", "rank", "deadline", "twice"))
    assert direct[0] == {"late": 504, "no deadline": 400}.get(name, direct[0])


def test_ordinary_requests_do_not_go_through_asgi(
    server: Listening, infer_body: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> Any:
        raise InternalError("it came here")

    monkeypatch.setattr(Addresses, "infer", refuse)  # the routes have been made already, with the real one
    monkeypatch.setattr(Addresses, "_body", refuse)
    body = json.dumps(infer_body(3)).encode()
    assert answered(server, request(INFER, body))[0] == 200
    assert answered(server, request(RANK, b'{"candidates": [{}]}'))[0] == 200
    assert answered(server, request(RANK, b'{"candidates": [{}]}', chunked=True))[0] == 500


def test_what_would_be_late_is_refused_before_it_is_read(
    server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise RequestError("too late", status=503, retry_after=0.2)

    monkeypatch.setattr(server.front.engine, "refuse_if_hopeless", refuse)
    status, headers, body = answered(server, request(RANK, b"no JSON"))
    assert (status, headers["retry-after"], json.loads(body)) == (503, "1", {"error": "too late"})
    assert server.front.statistics.fail["REJECTED"].count == 1


def test_a_defect_is_answered_and_the_connection_goes_on(
    server: Listening, scorer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("inside")

    sent = request(RANK, b'{"candidates": [{}]}')
    with connect(server) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(server.front.engine, "score", fail)
            connection.sendall(sent)
            status, _, body = read_answer(connection)
        assert (status, json.loads(body)["error"]) == (
            500,
            "internal error; the server's log has the details",
        )
        connection.sendall(sent)
        assert read_answer(connection)[0] == 200
    assert server.front.statistics.fail["BACKEND"].count == 1


def test_pipelined_requests_are_answered_in_order(server: Listening) -> None:
    bodies = [json.dumps({"candidates": [{"I1": number}]}).encode() for number in range(5)]
    with connect(server) as connection:
        connection.sendall(b"".join(request(RANK, body) for body in bodies[:-1]))
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n" + request(RANK, bodies[-1]))
        found = read_all(connection, 6)
    scores = [json.loads(body)["ranking"][0]["score"] for body in found if b"ranking" in body]
    assert scores == pytest.approx([number / 100 for number in range(5)])
    assert found[4] == b'{"live":true}'


def read_all(connection: socket.socket, count: int) -> list[bytes]:
    """Return the bodies of some answers, however they come."""
    bodies: list[bytes] = []
    found = b""
    while len(bodies) < count:
        head, end, rest = found.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
        )
        if not end or len(rest) < length:
            found += receive(connection)
            continue
        bodies.append(rest[:length])
        found = rest[length:]
    return bodies


def test_the_client_decides_whether_the_connection_is_kept(server: Listening) -> None:
    for header, sent in (
        ("close", request(RANK, b'{"candidates": [{}]}', "Connection: close")),
        ("close", request(RANK, b'{"candidates": [{}]}').replace(b"HTTP/1.1", b"HTTP/1.0")),
    ):
        with connect(server) as connection:
            connection.sendall(sent)
            status, headers, _ = read_answer(connection)
            assert (status, headers["connection"]) == (200, header)
            assert connection.recv(1) == b""


def test_a_draining_server_closes_connections(server: Listening) -> None:
    with connect(server) as connection:
        connection.sendall(request(RANK, b'{"candidates": [{}]}'))
        assert "connection" not in read_answer(connection)[1]
        server.engine.drain()
        connection.sendall(request(RANK, b'{"candidates": [{}]}'))
        status, headers, _ = read_answer(connection)
        assert (status, headers["connection"]) == (200, "close")
        assert connection.recv(1) == b""


@pytest.mark.parametrize("missing", [0, 1], ids=["scored", "unfinished"])
def test_a_client_that_leaves_is_counted_and_its_work_dropped(
    server: Listening, scorer: Any, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    server.engine.batch_size = 1
    working, finish = threading.Semaphore(0), threading.Event()
    scored: list[int] = []

    def slow(block: Any) -> Any:
        scored.append(len(block))
        working.release()
        assert finish.wait(timeout=PATIENCE)
        return block.dense[:, :1] * 0

    monkeypatch.setattr(scorer, "score_encoded", slow)
    whole = request(RANK, json.dumps({"candidates": [{}] * 8}).encode())
    with connect(server) as connection:
        connection.sendall(whole[: len(whole) - missing])
        if not missing:
            assert working.acquire(timeout=PATIENCE)
    wait_until(lambda: server.front.statistics.fail["CANCELED"].count == 1)
    finish.set()
    wait_until(lambda: server.engine.memory_taken == 0)
    assert len(scored) < 8


def test_a_client_that_does_not_read_is_waited_for(
    server: Listening, infer_body: Callable[..., dict[str, Any]]
) -> None:
    sent = request(INFER, json.dumps(infer_body(8)).encode())
    with connect(server) as connection:
        connection.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError, ConnectionError):  # it reads no more, or has refused them
            while count < 100_000:
                connection.sendall(sent)
                count += 1
        assert count < 100_000
    wait_until(lambda: server.engine.memory_taken == 0)


def test_bodies_are_bounded_together(server: Listening) -> None:
    padded = request(RANK, b'{"candidates": [{}]}' + b" " * 17_000)
    with connect(server) as first, connect(server) as second:
        first.sendall(padded[:-1])
        wait_until(lambda: server.front.held.bytes > 17_000)
        second.sendall(padded)
        status, headers, body = read_answer(second)
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(body) == {"error": "the bodies of other requests take all memory, try again later"}
        first.sendall(padded[-1:])
        assert read_answer(first)[0] == 200
        second.sendall(padded)
        assert read_answer(second)[0] == 200
    wait_until(lambda: server.front.held.bytes == 0)
    assert server.front.statistics.fail["REJECTED"].count == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_leaves_in_its_body_holds_nothing(server: Listening, chunked: bool) -> None:
    with connect(server) as connection:
        connection.sendall(request(RANK, b" " * 10_000, chunked=chunked)[:-8])
        wait_until(lambda: server.front.held.bytes > 9_000)
    wait_until(lambda: server.front.held.bytes == 0)


def test_an_exchange_that_is_left_before_it_begins_is_counted_and_holds_nothing(client: Any) -> None:
    def read(*_: object) -> Any:
        raise AssertionError("it was begun")

    async def scenario() -> None:
        wire: Any = SimpleNamespace(tasks=set())
        exchange = Exchange(wire, Direct(client.front, Guard()), read, [], keep_alive=True)
        exchange.add(b"12345")
        assert client.front.held.bytes == 5
        exchange.start([])
        exchange.leave()
        await asyncio.wait(wire.tasks)

    client.loop.run(scenario())
    assert client.front.held.bytes == 0
    assert client.front.statistics.fail["CANCELED"].count == 1


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        threading.Event().wait(0.001)
