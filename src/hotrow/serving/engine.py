"""Runs the model beside the event loop: loads and warms it, bounds what waits for it, drains.

Requests are decoded, scored and encoded in one thread of its own, so the event loop only moves
bytes; PyTorch releases the interpreter lock within its operators and uses its own threads there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from hotrow.errors import RequestError
from hotrow.serving.service import RankingService

State = Literal["loading", "ready", "draining", "failed"]


class Engine:
    """The one worker of a server.

    Args:
        load: returns the service, ready to answer; called once, in the worker's thread.
        max_pending: most requests that wait or are computed at a time.
    """

    def __init__(self, load: Callable[[], RankingService], *, max_pending: int) -> None:
        self._load = load
        self._max_pending = max_pending
        self._pending = 0
        self._service: RankingService | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self.state: State = "loading"

    async def start(self) -> None:
        """Load and warm the model; the state is ``ready`` afterwards.

        Raises:
            UserError: what ``load`` raises; the state is ``failed`` then.
        """
        try:
            self._service = await asyncio.get_running_loop().run_in_executor(self._worker, self._load)
        except BaseException:
            self.state = "failed"
            raise
        if self.state == "loading":
            self.state = "ready"

    def drain(self) -> None:
        """Report not ready from now on; requests are still answered."""
        self.state = "draining"

    def close(self) -> None:
        """Finish the request that is computed and stop the worker."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def service(self) -> RankingService:
        """Return the loaded service.

        Raises:
            RequestError: it is not loaded yet (503).
        """
        if self._service is None:
            raise RequestError("the model is not loaded yet", status=503)
        return self._service

    async def run(self, work: Callable[[bytes], bytes], body: bytes) -> bytes:
        """Answer one request in the worker's thread.

        Args:
            work: a method of the service, from request body to response body.
            body: the request body.

        Raises:
            RequestError: what ``work`` refuses; too many requests are pending (503).
        """
        if self._pending >= self._max_pending:
            raise RequestError(
                f"{self._max_pending} requests are pending already, try again later", status=503
            )
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, work, body)
        finally:
            self._pending -= 1
