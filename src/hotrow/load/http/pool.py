"""As many connections to one server as there are requests under way."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from hotrow.load.http.connection import Answer, Connection, ConnectionLostError


class Pool:
    """Connections to one server, opened on demand and kept.

    Args:
        host: an IP address or a name; names are looked up for every new connection.
        port: of the server.
        tls: of https addresses.

    Attributes:
        opened: connections opened so far.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self.opened = 0

    async def ask(self, request: Sequence[bytes | memoryview]) -> Answer:
        """Send a request on a free connection, or a new one.

        A kept connection that the server closed just then, without a byte of an answer, is replaced once.

        Raises:
            OSError: no connection could be opened.
            ConnectionLostError: the server closed it, or what it sent is not HTTP.
        """
        while self._idle:
            connection = self._idle.pop()  # the one used last, so that others may time out at the server
            if connection.is_open:
                try:
                    return await self._ask(connection, request)
                except ConnectionLostError as error:
                    if not error.was_silent:
                        raise
                break
        return await self._ask(await self._open(), request)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._all:
            connection.close()
        self._idle.clear()
        self._all.clear()

    async def _ask(self, connection: Connection, request: Sequence[bytes | memoryview]) -> Answer:
        try:
            answer = await connection.ask(request)
        finally:
            if not connection.is_open:
                self._all.discard(connection)
        if connection.is_open:
            self._idle.append(connection)
        return answer

    async def _open(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._host, self._port, ssl=self._tls)
        self._all.add(connection)
        self.opened += 1
        return connection
