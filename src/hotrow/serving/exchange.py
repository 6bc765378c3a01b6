"""Scoring requests without ASGI: what comes whole, and is one of two addresses, is answered in one task.

Starlette and uvicorn's request cycle cost more than all else that the front process does for a query. What is
out of the ordinary (pipelined or chunked requests, bodies that are too long, wrong tokens, other addresses)
goes the ordinary way, with the same answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from starlette.responses import Response
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from hotrow.errors import RequestError
from hotrow.serving.front import Call, Front
from hotrow.serving.leaving import GONE
from hotrow.serving.reading import Asked, read_infer, read_rank
from hotrow.serving.replies import DEADLINE, HEADER_LENGTH, deadline, defect, header_bytes, refusal, scored
from hotrow.serving.security import Guard

_LOG = logging.getLogger(__name__)

_HEADER_LENGTH, _DEADLINE = HEADER_LENGTH.lower().encode(), DEADLINE.lower().encode()
_LENGTH_DIGITS = 10

Headers = Mapping[bytes, bytes]
Read = Callable[[bytes, Headers], Asked]


class Direct:
    """Decides which requests are answered without ASGI.

    Args:
        front: answers them.
        guard: decides who may ask.
    """

    def __init__(self, front: Front, guard: Guard) -> None:
        self._front = front
        self._guard = guard

    def accept(self, method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> Read | None:
        """Return what reads the body of a request, if it is of the ordinary kind.

        Args:
            method: e.g. ``b"POST"``.
            url: as it was sent.
            headers: names in lower case.
        """
        if method != b"POST" or not self._front.engine.loaded:
            return None
        if url == b"/v1/rank":
            read: Read = self._rank
        elif url == b"/v2/models/%s/infer" % self._front.info.name.encode():
            read = self._infer
        else:
            return None
        named = dict(headers)
        if len(named) != len(headers) or b"expect" in named or b"transfer-encoding" in named:
            return None
        length = named.get(b"content-length", b"")
        if not length.isdigit() or len(length) > _LENGTH_DIGITS:
            return None
        if (
            int(length) > self._front.limits.max_body_bytes
            or named.get(b"content-encoding", b"identity") != b"identity"
        ):
            return None
        try:
            self._guard.require(named.get(b"authorization"))
        except RequestError:
            return None
        return read

    def _infer(self, body: bytes, headers: Headers) -> Asked:
        header = header_bytes(_text(headers, _HEADER_LENGTH))
        return read_infer(body, header, self._front.info, self._front.limits)

    def _rank(self, body: bytes, _: Headers) -> Asked:
        return read_rank(body, self._front.limits)

    def call(self) -> Call:
        """Begin a request."""
        return self._front.call()

    async def answer(self, call: Call, read: Read, body: bytes, headers: Headers) -> Response:
        """Answer a request.

        Raises:
            asyncio.CancelledError: its client has left.
        """
        try:
            with call:
                self._front.engine.refuse_if_hopeless()
                asked = read(body, headers)
                info = self._front.info  # it may be another one when the scores are there
                scores, wanted = await call.score(asked, deadline(_text(headers, _DEADLINE)))
                return scored(wanted, scores.values, info)
        except RequestError as error:
            return refusal(error)
        except Exception:  # noqa: BLE001 - one request's failure is not the server's
            _LOG.exception("a request failed")
            return defect()

    @property
    def is_draining(self) -> bool:
        """Whether connections are not kept any more."""
        return self._front.engine.state == "draining"


class Wire(Protocol):
    """What an exchange needs of its connection."""

    transport: asyncio.Transport
    flow: FlowControl
    tasks: set[asyncio.Task[None]]

    def on_response_complete(self) -> None:
        """Go on with the next request."""


class _NoEvent:
    def set(self) -> None:
        """Nobody waits."""


class Exchange:
    """One request and its answer; to uvicorn's protocol it looks like its own request cycle.

    Args:
        wire: the connection.
        direct: answers it.
        read: reads its body.
        headers: of the request, names in lower case.
        keep_alive: whether the client wants the connection to be kept.

    Attributes:
        response_complete: whether it was answered.
        disconnected: whether its client has left.
    """

    message_event = _NoEvent()

    def __init__(
        self, wire: Wire, direct: Direct, read: Read, headers: list[tuple[bytes, bytes]], *, keep_alive: bool
    ) -> None:
        self._wire = wire
        self._direct = direct
        self._read = read
        self._headers = headers
        self._parts: list[bytes] = []
        self._too_much: RequestError | None = None
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._call = direct.call()
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False

    @property
    def response_started(self) -> bool:
        """Whether any of the answer was sent: it is sent in one piece."""
        return self.response_complete

    def add(self, part: bytes) -> None:
        """Take a part of the body; where there is no room for it, the rest is thrown away as it comes."""
        if self._too_much is not None:
            return
        try:
            self._call.hold(len(part))
        except RequestError as error:
            self._too_much = error
            self._call.let_go()
            self._parts.clear()
        else:
            self._parts.append(part)

    def start(self, default_headers: list[tuple[bytes, bytes]]) -> None:
        """Answer; all of the body is there."""
        self._task = asyncio.get_running_loop().create_task(self._run(default_headers))
        self._task.add_done_callback(self._wire.tasks.discard)
        self._wire.tasks.add(self._task)

    def leave(self) -> None:
        """Give up: the client has closed the connection."""
        if self.response_complete:
            return
        self.disconnected = True
        if self._task is not None:
            self._task.cancel()
        if not self._begun:  # or the task counts it
            self._call.__exit__(None, RequestError("the client has left", status=GONE), None)

    async def _run(self, default_headers: list[tuple[bytes, bytes]]) -> None:
        self._begun = True
        # No name holds the body: it is to go before its answer waits for the client to read.
        response = await self._direct.answer(self._call, self._read_body, self._body(), dict(self._headers))
        if self._wire.flow.write_paused:
            await self._wire.flow.drain()
        if not self.disconnected:
            self._send(response, default_headers)

    def _body(self) -> bytes:
        parts, self._parts = self._parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_body(self, body: bytes, headers: Headers) -> Asked:
        if self._too_much is not None:
            raise self._too_much
        return self._read(body, headers)

    def _send(self, response: Response, default_headers: list[tuple[bytes, bytes]]) -> None:
        keep_alive = self.keep_alive and not self._direct.is_draining
        content = [STATUS_LINE[response.status_code]]
        for name, value in (*default_headers, *response.raw_headers):
            content += (name, b": ", value, b"\r\n")
        if not keep_alive:
            content.append(b"connection: close\r\n")
        content += (b"\r\n", bytes(response.body))
        self.response_complete = True
        self._wire.transport.write(b"".join(content))
        if not keep_alive:
            self._wire.transport.close()
        self._wire.on_response_complete()


def _text(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
