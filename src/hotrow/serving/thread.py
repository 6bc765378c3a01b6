"""A server in a thread of this process: its engine's knobs are at hand while others send requests."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from hotrow.serving.config import ServerConfig
from hotrow.serving.engine.engine import Engine
from hotrow.serving.front import Front
from hotrow.serving.server import Running, Served
from hotrow.serving.sockets import listen


class ServerThread:
    """Serves from ``__enter__`` to ``__exit__``.

    Args:
        engine: not started yet; its attributes may be set from other threads.
        config: where and how to serve.

    Attributes:
        engine: as given.
        served: where it is.
        front: what counts its requests.
    """

    served: Served
    front: Front

    def __init__(self, engine: Engine, config: ServerConfig) -> None:
        self.engine = engine
        self._config = config
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def __enter__(self) -> ServerThread:
        """Start, and wait until requests are answered.

        Raises:
            UserError: the model cannot be loaded, or the address not be listened on.
        """
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Finish what was begun, and end."""
        self._loop.call_soon_threadsafe(self._running.end)
        self._thread.join()

    def _run(self) -> None:
        try:
            with listen(self._config.host, self._config.port) as listener:
                self._running = Running(self.engine, self._config, listener, self._announce)
                self.front = self._running.front
                with asyncio.Runner(loop_factory=self._running.server.config.get_loop_factory()) as runner:
                    self._loop = runner.get_loop()
                    runner.run(self._running.run())
        except BaseException as error:  # noqa: BLE001 - it is raised where the thread was started
            self._error = error
        finally:
            self._ready.set()

    def _announce(self, served: Served) -> None:
        self.served = served
        self._ready.set()
