"""Workers that are threads of this process: the same code, without processes."""

from __future__ import annotations

import contextlib
import copy
import socket
import threading
from collections.abc import Callable

from hotrow.serving import RankingService
from hotrow.serving.engine.arena import SharedMemory
from hotrow.serving.engine.posts import CPU, Post
from hotrow.serving.engine.worker import work
from hotrow.serving.engine.workers import Greeting


class ThreadStarter:
    """Starts threads that run one service.

    Args:
        load: returns the service.
        memory: shared with the engine.
    """

    def __init__(self, load: Callable[[], RankingService], memory: SharedMemory) -> None:
        self._load = load
        self._memory = memory
        self._service: RankingService | None = None

    async def load(self) -> Greeting:
        self._service = self._load()
        return Greeting(self._service.info, overhead_ms=0.1, row_ms=0.01)

    async def start(self, channel: socket.socket, post: Post) -> int | None:
        assert self._service is not None
        threading.Thread(target=self._work, args=(channel.dup(), self._service, post), daemon=True).start()
        return None

    def _work(self, channel: socket.socket, service: RankingService, post: Post) -> None:
        if post.device != CPU:
            service = copy.copy(service)
        with channel, contextlib.suppress(SystemExit):  # a worker that ends in the middle of its work
            work(channel, self._memory.bytes, service, post.device)

    def close(self) -> None:
        self._service = None
