"""A small HTTP/1.1 server that answers as a test wants it to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """What came: ``headers`` by name in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def tensors(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return the JSON of an inference request, and its binary tensors by name."""
        length = int(self.headers["inference-header-content-length"])
        header, rest = json.loads(self.body[:length]), self.body[length:]
        found = {}
        for tensor in header["inputs"]:
            size = tensor["parameters"]["binary_data_size"]
            found[tensor["name"]], rest = rest[:size], rest[size:]
        assert rest == b""
        return header, found

    def rows(self) -> int:
        """Return how many candidates an inference or ranking request has."""
        if "inference-header-content-length" in self.headers:
            return int(self.tensors()[0]["inputs"][0]["shape"][0])
        content = json.loads(self.body)
        return (
            len(content["candidates"]) if "candidates" in content else int(content["inputs"][0]["shape"][0])
        )


@dataclass
class Reply:
    """What goes back."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Awaitable[Reply]]


def scores(request: Request, *, count: int | None = None) -> Reply:
    """Return a good answer: a score for each candidate, or ``count`` of them."""
    rows = request.rows() if count is None else count
    if request.path == "/v1/rank":
        ranking = [{"index": row, "score": 0.5} for row in range(rows)]
        return Reply(body=json.dumps({"model": "m", "ranking": ranking}).encode())
    output: dict[str, Any] = {"name": "score", "datatype": "FP32", "shape": [rows]}
    if "inference-header-content-length" not in request.headers:
        return Reply(body=json.dumps({"outputs": [output | {"data": [0.5] * rows}]}).encode())
    output["parameters"] = {"binary_data_size": 4 * rows}
    header = json.dumps({"model_name": "m", "outputs": [output]}).encode()
    return Reply(
        body=header + b"\0" * 4 * rows, headers={"Inference-Header-Content-Length": str(len(header))}
    )


async def good(request: Request) -> Reply:
    """Answer every call well, as the server of a model ``m`` with Criteo's columns."""
    is_query = request.path == "/v1/rank" or request.path.endswith("/infer")
    return scores(request) if is_query else described(request)


def described(request: Request, **more: str) -> Reply:
    """Answer what is asked before a load."""
    if request.path == "/v2/repository/index":
        return Reply(body=b'[{"name": "m", "state": "READY"}]')
    dense, categorical = [f"I{n}" for n in range(1, 14)], [f"C{n}" for n in range(1, 27)]
    parameters = {"dense_columns": ",".join(dense), "categorical_columns": ",".join(categorical), **more}
    return Reply(body=json.dumps({"name": "m", "inputs": [], "parameters": parameters}).encode())


class Stub:
    """A server; use it with ``async with`` within a loop, or ``in_thread``.

    Attributes:
        connections: how many were opened.
    """

    def __init__(self, answer: Answer = good) -> None:
        self._answer = answer
        self.connections = 0
        self.requests: list[Request] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Stub:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*list(self._tasks), return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(method, path, headers, body)
        self.requests.append(request)
        reply = await self._answer(request)
        lines = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        return reply.headers.get("Connection") != "close"


@contextmanager
def in_thread(answer: Answer = good) -> Iterator[Stub]:
    """Run a stub beside the test, for loads from other processes."""
    stub = Stub(answer)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(stub.__aenter__(), loop).result()
        yield stub
    finally:
        asyncio.run_coroutine_threadsafe(stub.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
