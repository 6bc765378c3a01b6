"""The running server: its socket, its signals and its orderly end."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn

from hotrow.errors import ConfigError
from hotrow.serving.app import build_app
from hotrow.serving.engine import Engine
from hotrow.serving.limits import Limits
from hotrow.serving.service import RankingService

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
    """

    host: str = "127.0.0.1"
    port: int = 8000
    drain_seconds: float = 1.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError("port", self.port, "0 to 65535")
        if not 0 <= self.drain_seconds <= 3600:
            raise ConfigError("drain_seconds", self.drain_seconds, "0 to 3600")


def serve(
    load: Callable[[], RankingService], config: ServerConfig, *, announce: Callable[[str, str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that came before are answered.

    Args:
        load: returns the loaded and warmed model.
        config: where and how to serve.
        announce: called with the model's name and the server's address when it is ready.

    Raises:
        ConfigError: the address cannot be listened on.
        UserError: what ``load`` raises.
        KeyboardInterrupt: after Ctrl-C.
    """
    with _listen(config.host, config.port) as listener:
        running = _Running(load, config, listener, announce)
        with asyncio.Runner(loop_factory=running.server.config.get_loop_factory()) as runner:
            runner.run(running.run())
    if running.interrupted:
        raise KeyboardInterrupt


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us: it would end the process by SIGTERM instead of status 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Running:
    """One server from its start to its end."""

    def __init__(
        self,
        load: Callable[[], RankingService],
        config: ServerConfig,
        listener: socket.socket,
        announce: Callable[[str, str], None],
    ) -> None:
        self._engine = Engine(load, max_pending=config.limits.max_pending)
        self._listener = listener
        self._announce = announce
        self._url = _url(listener)
        self._drain_seconds = config.drain_seconds
        self.interrupted = False
        self.server = _Server(
            uvicorn.Config(
                build_app(self._engine, max_body_bytes=config.limits.max_body_bytes),
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
            with _signals_to(self._stop):
                await self.server.serve(sockets=[self._listener])
                await loading
        finally:
            self._engine.close()

    async def _load(self) -> None:
        try:
            await self._engine.start()
        except BaseException:
            self.server.should_exit = True
            raise
        if self._engine.state == "ready":
            self._announce(self._engine.service().name, self._url)

    def _stop(self, number: int) -> None:
        if self._engine.state == "draining":  # asked twice
            self.server.should_exit = self.server.force_exit = True
            return
        self._engine.drain()
        if number == signal.SIGINT:
            self.interrupted = True
            self.server.should_exit = True
        else:
            asyncio.get_running_loop().call_later(self._drain_seconds, self._exit)

    def _exit(self) -> None:
        self.server.should_exit = True


@contextmanager
def _signals_to(stop: Callable[[int], None]) -> Iterator[None]:
    """Hand SIGTERM and Ctrl-C to ``stop`` within the event loop; only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port at once, so that one in use is told before a model is loaded."""
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


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
