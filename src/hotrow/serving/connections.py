"""HTTP connections, bounded: how many, how long headers are, how slowly these and bodies come, answers go."""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from typing import Any

import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hotrow.serving.exchange import Direct, Exchange

MAX_HEADER_BYTES = 32 * 1024
HEADER_SECONDS = 10.0
"""In which the headers of a request must be there."""

BODY_SECONDS = 30.0
"""In which its body must be there, from the end of its headers on."""

ANSWER_SECONDS = 30.0
"""In which a client must take what waits for it of an answer, or it holds memory."""

MAX_CONNECTIONS = 4096

MAX_PIPELINED = 32
"""Requests that may wait on a connection for the one before them; each takes some kilobytes."""

_TOO_LARGE = f"the request's line and headers are longer than the {MAX_HEADER_BYTES} bytes allowed"
_TOO_MANY = f"{MAX_CONNECTIONS} connections are open already, try again later"
_TOO_EAGER = f"more than {MAX_PIPELINED} requests wait on this connection for the one before them"


class _TooMuchError(Exception):
    """Raised through the parser, which then stops."""


class _Flow(FlowControl):
    """Reads nothing while requests wait for the one before them; uvicorn's would let ever more of them wait.

    Args:
        transport: the connection.
        waiting: requests.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Read on, if none waits."""
        if not self._waiting:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, which knows no such bounds.

    Args:
        direct: answers ordinary scoring requests; None: all go through ASGI.
        words: of uvicorn.
        options: of uvicorn.
    """

    def __init__(self, *words: Any, direct: Direct | None = None, **options: Any) -> None:
        super().__init__(*words, **options)
        self._direct = direct
        self._exchange: Exchange | None = None
        self._header_bytes = 0
        self._in_headers = True
        self._in_body = False
        self._ends_one = False
        self._is_too_large = self._is_too_eager = False
        self._last_answer: bytes | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(503, "Service Unavailable", _TOO_MANY)
        else:
            self._start_timer("headers", HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_timer()
        self._stop_waiting()
        super().connection_lost(exc)
        if self._exchange is not None:
            self._exchange.leave()

    def pause_writing(self) -> None:
        """Wait for the client to read, for a time."""
        super().pause_writing()
        self._unread = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self.transport.is_closing() or self._last_answer is not None:
            return
        self._ends_one = False
        super().data_received(data)
        if self._in_body and self._timer is None:  # not all of it came with the headers
            self._start_timer("body", BODY_SECONDS)
        if self._in_headers and not self.transport.is_closing() and self._last_answer is None:
            if not self._ends_one:  # else some of it, or nearly all, was of requests before
                self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(431, "Request Header Fields Too Large", _TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0
        if self._timer is None:
            self._start_timer("headers", HEADER_SECONDS)

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        self._in_headers = False
        self._stop_timer()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEADER_BYTES:
            self._is_too_large = True
            raise _TooMuchError
        if len(self.pipeline) >= MAX_PIPELINED:
            self._is_too_eager = True
            raise _TooMuchError
        self._in_body = True
        if not self._begin_exchange():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; that of an exchange is not longer than its headers say."""
        if (exchange := self._receiving) is not None:
            exchange.add(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_body, self._ends_one = False, True
        self._stop_timer()
        if (exchange := self._receiving) is not None:
            exchange.start(self.server_state.default_headers)
        else:
            super().on_message_complete()

    @property
    def _receiving(self) -> Exchange | None:
        """The exchange whose body is coming; None: it is that of another request."""
        current: object = self.cycle
        return current if isinstance(current, Exchange) else None

    def _begin_exchange(self) -> bool:
        """Answer a request without ASGI, if it may be and none is under way."""
        if self._direct is None or not (self.cycle is None or self.cycle.response_complete):
            return False
        read = self._direct.accept(self.parser.get_method(), self.url, self.headers)
        if read is None:
            return False
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        self._exchange = Exchange(self, self._direct, read, self.headers, keep_alive=keep_alive)
        self.cycle = self._exchange  # type: ignore[assignment]
        return True

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read."""
        if self._is_too_large:
            self._refuse(431, "Request Header Fields Too Large", _TOO_LARGE)
        elif self._is_too_eager:
            self._refuse(503, "Service Unavailable", _TOO_EAGER)
        else:
            self._refuse(400, "Bad Request", "the request is no valid HTTP")

    def on_response_complete(self) -> None:
        """Go on with the next request, or close where what came behind this one was refused."""
        super().on_response_complete()
        if self._last_answer is not None and self.cycle.response_complete and not self.transport.is_closing():
            self._close_with(self._last_answer)

    def _refuse(self, status: int, phrase: str, message: str) -> None:
        """Answer, after the requests that came whole before, and close."""
        self._stop_timer()
        body = msgspec.json.encode({"error": message})
        head = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        if self.cycle is None or self.cycle.response_complete:
            self._close_with(head.encode() + body)
        elif not self._in_body:  # the request under way is whole: what is refused came behind it
            self._last_answer = head.encode() + body
            self.flow.pause_reading()
        else:
            self._close_with(b"" if self.cycle.response_started else head.encode() + body)

    def _close_with(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()

    def _start_timer(self, what: str, seconds: float) -> None:
        message = f"the request's {what} did not come within {seconds:g} seconds"
        self._timer = self.loop.call_later(seconds, self._refuse, 408, "Request Timeout", message)

    def _stop_waiting(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
