"""A server that listens on the loopback interface, in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.serving.engine.threads import ThreadStarter

from hotrow.serving import Engine, EngineConfig, RankingService, Served, ServerConfig
from hotrow.serving.front import Front
from hotrow.serving.server import Running
from hotrow.serving.sockets import listen

PATIENCE = 60


class Listening:
    """A server that listens.

    Attributes:
        url: of its HTTP addresses.
        engine: runs its model.
        grpc: host and port of its gRPC service.
    """

    def __init__(self, load: Callable[[], RankingService], config: ServerConfig) -> None:
        engine_config = EngineConfig(memory_bytes=1 << 24)
        self.engine = Engine(lambda room: ThreadStarter(load, room.memory), engine_config)
        self._config = config
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.url = self.grpc = ""

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
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._server.end)
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive()

    def _run(self) -> None:
        with listen(self._config.host, self._config.port) as listener, asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._server = Running(self.engine, self._config, listener, self._announce)
            runner.run(self._server.run())

    def _announce(self, served: Served) -> None:
        self.url, self.grpc = served.url, served.grpc or ""
        self._ready.set()
