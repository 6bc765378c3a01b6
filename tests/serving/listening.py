"""A server that listens on the loopback interface, in a thread of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.serving.engine.threads import ThreadStarter

from hotrow.serving import Engine, EngineConfig, RankingService, ServerConfig
from hotrow.serving.front import Front
from hotrow.serving.thread import ServerThread

PATIENCE = 60


class Listening:
    """A server that listens, its workers threads.

    Attributes:
        engine: runs its model.
    """

    def __init__(self, load: Callable[[], RankingService], config: ServerConfig) -> None:
        engine_config = EngineConfig(memory_bytes=1 << 24)
        self.engine = Engine(lambda room: ThreadStarter(load, room.memory), engine_config)
        self._server = ServerThread(self.engine, config)

    @property
    def url(self) -> str:
        """Of its HTTP addresses."""
        return self._server.served.url

    @property
    def grpc(self) -> str:
        """Host and port of its gRPC service."""
        return self._server.served.grpc or ""

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    @property
    def front(self) -> Front:
        """What counts requests."""
        return self._server.front

    @contextmanager
    def running(self) -> Iterator[Listening]:
        """Serve while inside."""
        with self._server:
            yield self
