"""The running server: its socket, its signals and its orderly end."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvicorn

from hotrow.errors import ConfigError, HotrowError
from hotrow.serving.app import build_app
from hotrow.serving.engine.engine import Engine, EngineConfig
from hotrow.serving.engine.workers import TemplateProcess
from hotrow.serving.front import Front
from hotrow.serving.limits import Limits

_LOG = logging.getLogger(__name__)
_BACKLOG = 2048
_GRACE_SECONDS = 30
_KEEP_ALIVE_SECONDS = 75  # longer than load balancers keep an idle connection, so that they close it first


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Where and how to serve.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        drain_seconds: after SIGTERM, how long to report not ready while still answering, so that
            load balancers look elsewhere before the port closes.
        limits: bounds on requests.
        engine: workers and what they share.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    drain_seconds: float = 1.0
    limits: Limits = field(default_factory=Limits)
    engine: EngineConfig = field(default_factory=EngineConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError("port", self.port, "0 to 65535")
        if not 0 <= self.drain_seconds <= 3600:
            raise ConfigError("drain_seconds", self.drain_seconds, "0 to 3600")


def serve(
    artifact: Path,
    config: ServerConfig,
    *,
    name: str | None = None,
    announce: Callable[[str, str], None] = lambda name, url: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that came before are answered.

    SIGHUP loads the artifact again, which may have been replaced, and changes to it without a pause.

    Args:
        artifact: its folder.
        config: where and how to serve.
        name: of the model in addresses; its registered name without.
        announce: called with the model's name and the server's address when it is ready.

    Raises:
        ConfigError: the address cannot be listened on.
        UserError: the artifact cannot be loaded.
        KeyboardInterrupt: after Ctrl-C.
    """
    served = {"artifact": str(artifact), "name": name, "limits": asdict(config.limits)}
    with listen(config.host, config.port) as listener:
        engine = Engine(lambda room: TemplateProcess(served, room.memory), config.engine)
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
    """One server from its start to its end."""

    def __init__(
        self,
        engine: Engine,
        config: ServerConfig,
        listener: socket.socket,
        announce: Callable[[str, str], None],
    ) -> None:
        self._engine = engine
        self._listener = listener
        self._announce = announce
        self._url = url_of(listener)
        self._drain_seconds = config.drain_seconds
        self.interrupted = False
        self._reloading: set[asyncio.Task[None]] = set()
        self.server = _Server(
            uvicorn.Config(
                build_app(Front(engine, config.limits)),
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    async def run(self) -> None:
        """Listen, load, answer until told to stop, and finish what was begun."""
        loading = asyncio.create_task(self._load())
        try:
            with _signals_to(
                {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._reload}
            ):
                await self.server.serve(sockets=[self._listener])
                await loading
        finally:
            await self._engine.close()

    async def _load(self) -> None:
        try:
            await self._engine.start()
        except BaseException:
            self.server.should_exit = True
            raise
        if self._engine.state == "ready":
            self._announce(self._engine.info.name, self._url)

    def _reload(self, _: int) -> None:
        task = asyncio.get_running_loop().create_task(self._load_again())
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)

    async def _load_again(self) -> None:
        try:
            info = await self._engine.load()
        except HotrowError as error:
            _LOG.error("the artifact is not changed to: %s", error)
        else:
            _LOG.warning("serving version %s of %s", info.version, info.name)

    def _stop(self, number: int) -> None:
        if self._engine.state == "draining":  # asked twice
            self.server.should_exit = self.server.force_exit = True
            return
        self._engine.drain()
        if number == signal.SIGINT:
            self.interrupted = True
            self.server.should_exit = True
        else:
            asyncio.get_running_loop().call_later(self._drain_seconds, self.end)

    def end(self) -> None:
        """Close the port, finish what was begun, and end."""
        self.server.should_exit = True


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


def listen(host: str, port: int) -> socket.socket:
    """Take the port at once, so that one in use is told before a model is loaded.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError("host", host, "a host name or address of this machine") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.set_inheritable(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            expected = f"a free port on {host}; this one is in use (0 takes a free one)"
            raise ConfigError("port", port, expected) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise ConfigError("port", port, "a port that this user may listen on, such as 8000") from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError("host", host, "an address of this machine") from error
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
