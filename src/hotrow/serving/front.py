"""What HTTP and gRPC have in common: from a request that was read to an answer, counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType

import msgspec

from hotrow.errors import InternalError, RequestError
from hotrow.serving.answers import Wanted
from hotrow.serving.engine.engine import Engine
from hotrow.serving.engine.request import Scores
from hotrow.serving.held import Held
from hotrow.serving.info import ModelInfo
from hotrow.serving.limits import Limits
from hotrow.serving.live.seconds import Gauges, LastSeconds
from hotrow.serving.logs import RequestLog
from hotrow.serving.reading import Asked
from hotrow.serving.statistics import Reason, Statistics, reason_of

MAX_ERROR_CHARACTERS = 500
"""Messages quote the request; what a client gets back of it stays short."""

_RETRY_SECONDS = 1.0

_WANTED = msgspec.json.Decoder(Wanted)


class Front:
    """Hands requests to the engine and counts what becomes of them.

    Args:
        engine: runs the model.
        limits: bounds on requests.
        log: of requests; None: there is none.
        clock: returns seconds.
        now: returns seconds since 1970.
    """

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        *,
        log: RequestLog | None = None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.engine = engine
        self.limits = limits
        self.held = Held(limits.max_held_bytes)
        self.statistics = Statistics()
        self.last_seconds = LastSeconds()
        self.clock = clock
        self._log = log
        self._now = now

    @property
    def info(self) -> ModelInfo:
        """The model.

        Raises:
            RequestError: it is not loaded yet (503).
        """
        return self.engine.info

    def require_model(self, name: str, version: str = "") -> ModelInfo:
        """Return the model that a client names; without a version it is the one that is served.

        Raises:
            RequestError: there is none of that name and version (404); it is not loaded yet (503).
        """
        info = self.engine.info
        if name != info.name:
            raise RequestError(f"there is no model {name!r}, this server has {info.name!r}", status=404)
        if version not in ("", info.version):
            raise RequestError(
                f"there is no version {version!r} of model {name!r}, this server has {info.version!r}",
                status=404,
            )
        return info

    def gauges(self) -> Gauges:
        """Return how things stand, of a model that is loaded."""
        engine = self.engine
        crews = [engine.crew] if engine.accelerator is None else [engine.crew, engine.accelerator]
        return Gauges(
            waiting_rows=sum(crew.queued_rows for crew in crews),
            in_flight=engine.in_flight,
            workers=engine.crew.size,
            devices=0 if engine.accelerator is None else engine.accelerator.size,
            restarts=sum(crew.restarts for crew in crews),
            batch_size=engine.batch_size,
            offload_threshold=engine.offload_threshold,
            memory_bytes=engine.memory_taken,
        )

    async def keep_time(self) -> None:
        """Let the last seconds pass, until it is cancelled."""
        before = self.clock()
        while True:
            await asyncio.sleep(1)
            now = self.clock()
            self.last_seconds.tick(now - before, self.gauges() if self.engine.loaded else Gauges())
            before = now

    def call(self) -> Call:
        """Begin a request; used as a context, it is counted when it ends."""
        return Call(self)

    def ended(self, scores: Scores | None, error: BaseException | None, seconds: float) -> None:
        """Count a request that has ended."""
        reason: Reason | None = None
        if error is None and scores is not None:
            self.statistics.answered(scores, seconds, self._now())
            self.last_seconds.answered(len(scores.values), seconds)
        else:
            reason = reason_of(error or InternalError("nothing was scored"))
            self.statistics.failed(reason, seconds)
            self.last_seconds.failed(reason)
        if self._log is not None:
            self._log.write(reason, scores, error, seconds)


class Call:
    """One request from its beginning to its end.

    Args:
        front: that it came to.
    """

    __slots__ = ("_front", "_held", "_scores", "_started")

    def __init__(self, front: Front) -> None:
        self._front = front
        self._held = 0
        self._scores: Scores | None = None
        self._started = front.clock()

    def hold(self, size: int) -> None:
        """Count ``size`` more bytes of the request's body, which are held until it ends.

        Raises:
            RequestError: all bodies together would take more than they may (503).
        """
        self._front.held.take(size)
        self._held += size

    def let_go(self) -> None:
        """Count its body as held no longer."""
        self._front.held.give_back(self._held)
        self._held = 0

    async def score(self, asked: Asked, seconds: float | None) -> tuple[Scores, Wanted]:
        """Have a request scored; return its scores and what its answer must have.

        Args:
            asked: the request.
            seconds: after which the answer is of no use; None: never, or what ``asked`` says.

        Raises:
            RequestError: as the engine's.
        """
        if asked.seconds is not None:
            seconds = asked.seconds if seconds is None else min(seconds, asked.seconds)
        self._scores = await self._front.engine.score(asked.request, seconds=seconds)
        return self._scores, asked.wanted or _WANTED.decode(self._scores.wanted)

    def __enter__(self) -> Call:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self.let_go()
        self._front.ended(self._scores, error, self._front.clock() - self._started)


def shown(error: RequestError) -> str:
    """Return what a client is told."""
    message = str(error)
    return message if len(message) <= MAX_ERROR_CHARACTERS else message[:MAX_ERROR_CHARACTERS] + "..."


def retry_seconds(error: RequestError) -> float:
    """Return after how long a client that was refused should try again."""
    return error.retry_after or _RETRY_SECONDS
