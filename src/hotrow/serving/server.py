"""The running server: its socket, its signals and its orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from hotrow.descriptors import allow_descriptors
from hotrow.errors import HotrowError
from hotrow.serving.app import build_app
from hotrow.serving.config import ServerConfig
from hotrow.serving.connections import MAX_CONNECTIONS, Connection
from hotrow.serving.engine.engine import Engine
from hotrow.serving.engine.workers import workers_of
from hotrow.serving.exchange import Direct
from hotrow.serving.front import Front
from hotrow.serving.logs import RequestLog
from hotrow.serving.security import Certificate, Guard
from hotrow.serving.sockets import listen, url_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from hotrow.serving.rpc.server import RpcServer

_LOG = logging.getLogger(__name__)
_GRACE_SECONDS = 30
_KEEP_ALIVE_SECONDS = 75  # longer than load balancers keep an idle connection, so that they close it first


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready.

    Attributes:
        name: of the model.
        url: of the HTTP addresses.
        grpc: host and port of the gRPC service; None without one.
    """

    name: str
    url: str
    grpc: str | None


def serve(
    artifact: Path,
    config: ServerConfig,
    *,
    name: str | None = None,
    announce: Callable[[Served], None] = lambda served: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that came before are answered.

    SIGHUP loads the artifact again, which may have been replaced, and changes to it without a pause.

    Args:
        artifact: its folder.
        config: where and how to serve.
        name: of the model in addresses; its registered name without.
        announce: called when the server is ready.

    Raises:
        ConfigError: the address cannot be listened on.
        UserError: the artifact cannot be loaded.
        KeyboardInterrupt: after Ctrl-C.
    """
    allow_descriptors(2 * MAX_CONNECTIONS)
    with listen(config.host, config.port) as listener:
        make = workers_of(artifact, name=name, limits=config.limits, device=config.engine.device)
        engine = Engine(make, config.engine)
        running = Running(engine, config, listener, announce)
        with asyncio.Runner(loop_factory=running.server.config.get_loop_factory()) as runner:
            runner.run(running.run())
    if running.interrupted:
        raise KeyboardInterrupt


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us: it would end the process by SIGTERM instead of status 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Running:
    """One server from its start to its end.

    Attributes:
        front: answers its requests.
        interrupted: whether Ctrl-C has ended it.
        server: of HTTP.
    """

    def __init__(
        self,
        engine: Engine,
        config: ServerConfig,
        listener: socket.socket,
        announce: Callable[[Served], None],
    ) -> None:
        self._engine = engine
        self._config = config
        self._listener = listener
        self._announce = announce
        log = RequestLog(config.log_requests) if config.log_requests else None
        self.front = Front(engine, config.limits, log=log)
        self._guard = Guard.of_file(config.token_file)
        self._rpc: RpcServer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloads = 0
        self.interrupted = False
        app = build_app(self.front, self._guard if config.token_file else None)
        self.server = _Server(_uvicorn(app, Direct(self.front, self._guard), config.certificate))

    async def run(self) -> None:
        """Listen, load, answer until told to stop, and finish what was begun."""
        config = self._config
        if config.grpc_port is not None:
            from hotrow.serving.rpc.server import RpcServer

            self._rpc = RpcServer(
                self.front, self._guard, config.host, config.grpc_port, certificate=config.certificate
            )
            await self._rpc.start()
        self._begin(self.front.keep_time())
        _LOG.info("loading the model")
        loading = self._begin(self._load())
        try:
            with _signals_to(
                {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._reload}
            ):
                await self.server.serve(sockets=[self._listener])
                if self._rpc is not None:
                    await self._rpc.stop(0 if self.server.force_exit else _GRACE_SECONDS)
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            await self._engine.close()
        if not loading.cancelled():
            loading.result()
        _LOG.info("ended%s", " at once, as told twice" if self.server.force_exit else "")

    def end(self) -> None:
        """Close the ports, finish what was begun, and end."""
        self.server.should_exit = True
        if self._rpc is not None:
            self._begin(self._rpc.stop(_GRACE_SECONDS))

    async def _load(self) -> None:
        try:
            await self._engine.start()
        except Exception:
            self.end()
            raise
        if self._engine.state == "ready":
            grpc = None if self._rpc is None else self._rpc.address
            scheme = "http" if self._config.certificate is None else "https"
            self._announce(Served(self._engine.info.name, url_of(self._listener, scheme), grpc))

    def _reload(self, _: int) -> None:
        """Load again; if that is under way, once more afterwards, however often it is asked for."""
        is_under_way, self._reloads = self._reloads > 0, min(self._reloads + 1, 2)
        if not is_under_way:
            self._begin(self._load_again())

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _load_again(self) -> None:
        while self._reloads:
            _LOG.info("loading the model again")
            try:
                info = await self._engine.load()
            except HotrowError as error:
                _LOG.error("the artifact is not changed to: %s", error)
            else:
                _LOG.info("serving version %s of %s", info.version, info.name)
            finally:
                self._reloads -= 1

    def _stop(self, number: int) -> None:
        if self._engine.state == "draining":  # asked twice
            self.server.should_exit = self.server.force_exit = True
            return
        self._engine.drain()
        self.interrupted = number == signal.SIGINT
        if self.interrupted or not self._engine.loaded:  # nobody was told to send requests here
            _LOG.info("ending: what was begun is answered")
            self.end()
        else:
            _LOG.info("draining: not ready from now on, ending in %g s", self._config.drain_seconds)
            asyncio.get_running_loop().call_later(self._config.drain_seconds, self.end)


def _uvicorn(app: ASGIApp, direct: Direct, certificate: Certificate | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=partial(Connection, direct=direct),  # type: ignore[arg-type]  # it is only called
        proxy_headers=False,  # nobody asks who a client is
        ssl_certfile=None if certificate is None else certificate.chain,
        ssl_keyfile=None if certificate is None else certificate.key,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="error",  # it warns of every request that is no HTTP
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


@contextmanager
def _signals_to(handlers: Mapping[int, Callable[[int], None]]) -> Iterator[None]:
    """Hand signals to functions within the event loop; only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handle in handlers.items():
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
