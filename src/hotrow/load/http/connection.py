"""One kept connection of HTTP/1.1, on asyncio's bare protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import httptools

HEADER_LENGTH = b"inference-header-content-length"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: e.g. 200.
        body: its content.
        header_length: of a body of binary tensors, bytes of JSON at its beginning; None of others.
    """

    status: int
    body: bytes
    header_length: int | None


class ConnectionLostError(Exception):
    """The server closed the connection before the answer was complete.

    Attributes:
        was_silent: whether no byte of the answer had come.
    """

    def __init__(self, reason: str, *, was_silent: bool) -> None:
        self.was_silent = was_silent
        super().__init__(reason)


class Connection(asyncio.Protocol):
    """Sends one request at a time and waits for its answer.

    Attributes:
        is_open: whether another request may be sent.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._header_length: int | None = None
        self._was_silent = True

    async def ask(self, request: Sequence[bytes | memoryview]) -> Answer:
        """Send a whole request, head and body, and return the answer.

        Raises:
            ConnectionLostError: the server closed the connection, or what it sent is not HTTP.
        """
        assert self._transport is not None
        assert self._answer is None, "a request is under way"
        self._answer = asyncio.get_running_loop().create_future()
        self._was_silent = True
        self._transport.writelines(request)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.close()  # the answer to this request must not be taken for the next one's
            raise
        finally:
            self._answer = None

    def close(self) -> None:
        """Close the connection."""
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take requests from now on."""
        self._transport = cast(
            asyncio.Transport, transport
        )  # uvloop's transports are asyncio's by conduct only
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer."""
        self._was_silent = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"what the server sent is not HTTP/1.1: {error}")
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        self.is_open = False
        self._fail(str(error) if error else "the server closed the connection without an answer")

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLostError(reason, was_silent=self._was_silent))

    # What httptools calls:

    def on_message_begin(self) -> None:
        """Begin an answer."""
        self._body, self._header_length = [], None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Remember the one header that bodies need."""
        if name.lower() == HEADER_LENGTH and value.isdigit():
            self._header_length = int(value)

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        status = self._parser.get_status_code()
        if status < 200:
            return  # 100 Continue and the like announce the answer
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(status, b"".join(self._body), self._header_length))
