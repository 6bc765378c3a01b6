"""The engine: scores requests on worker processes, and changes to another artifact while it does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from hotrow.errors import ConfigError, RequestError
from hotrow.scheduling.hang import hang_limit
from hotrow.scheduling.service_time import LinearTime
from hotrow.serving.engine.adaptation import Adaptation
from hotrow.serving.engine.admission import Admission
from hotrow.serving.engine.crew import Crew
from hotrow.serving.engine.flight import Room
from hotrow.serving.engine.posts import CPU, Post, posts_of
from hotrow.serving.engine.request import RawRequest, Request, Scores
from hotrow.serving.engine.workers import Greeting, Starter
from hotrow.serving.info import ModelInfo

_LOG = logging.getLogger(__name__)

State = Literal["loading", "ready", "without workers", "draining", "failed"]

_WHOLE = 1 << 30
"""Batch size of the device: queries are not cut."""

_WATCH_SECONDS = 0.1
_WINDOW_SECONDS = 1.0
_LAG_WEIGHT = 0.2
"""Of the newest measurement of how late this process is with what is due."""


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """How many workers there are and what they share.

    Attributes:
        workers: worker processes, each with one thread.
        batch_size: rows of a sub-batch at most; may be changed while the engine runs.
        device: of one more worker, e.g. ``"cuda"``, for large queries; None: there is none.
        offload_threshold: queries of so many rows or more go whole to the device; None: none does. May be
            changed while the engine runs.
        adapt: let the batch size follow load and interference.
        memory_bytes: shared memory for the requests in flight, rounded up to a power of two.
        max_queued_rows: rows that may be unfinished; requests beyond are refused at once.
        sla_ms: the latency promised; requests that would be later are refused at once. None: none is.
        hang_seconds: after which a worker that has not done a task is replaced; large tasks have a hundred
            times their predicted time.
    """

    workers: int = 1
    batch_size: int = 256
    device: str | None = None
    offload_threshold: int | None = None
    adapt: bool = False
    memory_bytes: int = 256 * 1024**2
    max_queued_rows: int = 65_536
    sla_ms: float | None = None
    hang_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("batch_size", 1), ("memory_bytes", 1), ("max_queued_rows", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"engine.{name}", getattr(self, name), f"at least {least}")
        if self.offload_threshold is not None and (self.device is None or self.offload_threshold < 1):
            raise ConfigError(
                "engine.offload_threshold", self.offload_threshold, "at least 1, together with a device"
            )
        if self.sla_ms is not None and not 0 < self.sla_ms < math.inf:
            raise ConfigError("engine.sla_ms", self.sla_ms, "milliseconds, more than 0")
        if not self.hang_seconds > 0:
            raise ConfigError("engine.hang_seconds", self.hang_seconds, "seconds, more than 0")


@dataclass(frozen=True, slots=True)
class _Side:
    """Workers that share a queue, and what is let into it.

    Attributes:
        crew: the workers.
        admission: refuses what would be late.
        batch_size: returns the most rows of a sub-batch.
    """

    crew: Crew
    admission: Admission
    batch_size: Callable[[], int]


@dataclass(frozen=True, slots=True)
class _Served:
    """A model that is served.

    Attributes:
        info: what there is to know of it.
        sides: the workers of the CPU and, if there is one, that of the device.
    """

    info: ModelInfo
    sides: tuple[_Side, ...]

    def watch(self) -> None:
        for side in self.sides:
            side.crew.watch()

    def close(self) -> None:
        for side in self.sides:
            side.crew.close()


class Engine:
    """Runs one model on several workers.

    All methods are called in one event loop.

    Args:
        make: returns what starts the workers of the artifact to serve; called for every load.
        config: sizes.
    """

    def __init__(self, make: Callable[[Room], Starter], config: EngineConfig) -> None:
        self._make = make
        self._config = config
        self._room = Room(1 << (config.memory_bytes - 1).bit_length())
        self._served: _Served | None = None
        self._loading = asyncio.Lock()
        self._leaving: dict[asyncio.Task[None], _Served] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._adaptation = Adaptation(config.batch_size) if config.adapt else None
        self.batch_size = config.batch_size
        self.offload_threshold = config.offload_threshold
        self._lag_s = 0.0
        self.executions = 0
        self._state: State = "loading"

    async def start(self) -> None:
        """Load the model and start its workers; the state is ``ready`` afterwards.

        Raises:
            UserError: the model cannot be loaded; the state is ``failed`` then.
        """
        try:
            await self.load()
        except BaseException:
            self._state = "failed"
            raise
        self._watcher = asyncio.get_running_loop().create_task(self._watch())
        if self._state == "loading":
            self._state = "ready"

    async def load(self, make: Callable[[Room], Starter] | None = None) -> ModelInfo:
        """Load a model beside the one that is served, and serve it from then on.

        Requests that were begun are answered by the old one. If the new one cannot be loaded, the old one
        stays. Loads are done one after the other, so that the one asked for last is served.

        Args:
            make: as of the constructor; None: the same.

        Raises:
            UserError: it cannot be loaded.
            InternalError: its processes could not be started, or ended.
        """
        async with self._loading:
            return await self._change_to(make or self._make)

    async def _change_to(self, make: Callable[[Room], Starter]) -> ModelInfo:
        starter = make(self._room)
        sides: list[_Side] = []
        try:
            greeting = await starter.load()
            posts = posts_of(self._config.workers)
            sides.append(self._side(starter, greeting, posts, lambda: self.batch_size))
            if self._config.device is not None:
                device = Post(device=self._config.device)
                sides.append(self._side(starter, greeting, [device], lambda: _WHOLE))
            for side in sides:
                await side.crew.start()
        except BaseException:
            for side in sides:
                side.crew.close()
            starter.close()
            raise
        before, self._served = self._served, _Served(greeting.info, tuple(sides))
        if before is not None:
            task = asyncio.get_running_loop().create_task(_retire(before))
            self._leaving[task] = before
            task.add_done_callback(self._leaving.pop)
        return greeting.info

    async def score(self, request: Request, *, seconds: float | None = None) -> Scores:
        """Score the rows of a request.

        Cancelling this call begins nothing more of it.

        Args:
            request: raw or encoded.
            seconds: after which it fails, and nothing of it is begun any more.

        Raises:
            RequestError: it cannot be answered as it is; the model is not loaded, too many rows are before
                it, or it would be late for what is before it (503); the time is over, or too short (504).
        """
        served = self._require()
        rows = request.rows if isinstance(request, RawRequest) else len(request)
        away = self._config.device is not None and self._offloads(rows)
        side = served.sides[away]
        adaptation = self._adaptation if rows and not away else None  # no batch size suits no rows
        crew, shape = side.crew, served.info.shape
        batch_size = side.batch_size()
        try:
            side.admission.require(rows, crew.backlog, seconds, workers=crew.size, batch_size=batch_size)
        except RequestError:
            is_past = seconds is not None and seconds <= 0
            if adaptation is not None and not is_past:
                adaptation.arrived(rows, admitted=False)
            raise
        now = asyncio.get_running_loop().time()
        deadline = None if seconds is None else now + seconds
        if adaptation is not None:
            adaptation.arrived(rows, admitted=True)
        scores = await crew.score(request, shape, deadline)
        took = asyncio.get_running_loop().time() - now
        side.admission.answered(took + self._lag_s)
        if adaptation is not None:
            adaptation.answered(took)
        return scores

    def refuse_if_hopeless(self) -> None:
        """Refuse a request before it is read, where even the smallest would be late.

        Raises:
            RequestError: as ``score``.
        """
        sides = self._require().sides
        # How many rows it has decides where it goes, and what adapts wants to know of it.
        if len(sides) == 1 and self._adaptation is None:
            crew, admission = sides[0].crew, sides[0].admission
            admission.require(1, crew.backlog, None, workers=crew.size, batch_size=self.batch_size)

    @property
    def crew(self) -> Crew:
        """The workers.

        Raises:
            RequestError: the model is not loaded yet (503).
        """
        return self._require().sides[0].crew

    @property
    def accelerator(self) -> Crew | None:
        """The worker whose model is on a device; None: there is none.

        Raises:
            RequestError: the model is not loaded yet (503).
        """
        sides = self._require().sides
        return sides[1].crew if len(sides) > 1 else None

    @property
    def state(self) -> State:
        """How it stands; ``ready`` when requests are welcome."""
        if self._state == "ready" and any(side.crew.stalled for side in self._require().sides):
            return "without workers"
        return self._state

    async def finish(self) -> None:
        """Wait until no query is in flight, on the workers and on the device."""
        for side in self._require().sides:
            await side.crew.finish()

    @property
    def in_flight(self) -> int:
        """Queries that were not answered yet."""
        return sum(side.crew.in_flight for side in self._require().sides)

    @property
    def loaded(self) -> bool:
        """Whether there is a model."""
        return self._served is not None

    @property
    def sla_ms(self) -> float | None:
        """The latency promised; None: none is."""
        return self._config.sla_ms

    @property
    def info(self) -> ModelInfo:
        """The model.

        Raises:
            RequestError: it is not loaded yet (503).
        """
        return self._require().info

    @property
    def time(self) -> LinearTime:
        """Time of a sub-batch on a worker, as known now."""
        return self._require().sides[0].admission.time

    @property
    def memory_taken(self) -> int:
        """Bytes of shared memory in use."""
        return self._room.taken

    def drain(self) -> None:
        """Report not ready from now on; requests are still answered."""
        self._state = "draining"

    async def close(self) -> None:
        """Stop the workers; requests in flight fail."""
        with contextlib.ExitStack() as last:  # what fails does not keep the rest from being closed
            last.callback(self._room.memory.close)
            for served in (*self._leaving.values(), self._served):
                if served is not None:
                    last.callback(served.close)
            tasks = [*self._leaving, *([] if self._watcher is None else [self._watcher])]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            slept = clock()
            await asyncio.sleep(_WATCH_SECONDS)
            late_s = max(clock() - slept - _WATCH_SECONDS, 0.0)
            self._lag_s += _LAG_WEIGHT * (late_s - self._lag_s)
            passed = clock() - began
            if passed >= _WINDOW_SECONDS:
                began += passed
            try:
                self._look(passed)
            except Exception:  # noqa: BLE001 - the next round may do better, and workers must be watched
                _LOG.exception("the workers could not be watched; it is tried again")

    def _look(self, passed: float) -> None:
        """Replace workers that hang, and adapt when a window has passed."""
        for served in (*self._leaving.values(), self._require()):
            served.watch()
        for side in self._require().sides:
            side.admission.tick()
        if self._adaptation is not None and passed >= _WINDOW_SECONDS:
            self.batch_size = self._adaptation.tick(passed, self.time, max(self.crew.size, 1))

    def _require(self) -> _Served:
        if self._served is None:
            raise RequestError("the model is not loaded yet", status=503)
        return self._served

    def _offloads(self, rows: int) -> bool:
        return self.offload_threshold is not None and rows >= self.offload_threshold

    def _side(
        self, starter: Starter, greeting: Greeting, posts: Sequence[Post], batch_size: Callable[[], int]
    ) -> _Side:
        admission = Admission(
            LinearTime(greeting.overhead_ms, greeting.row_ms),
            max_rows=self._config.max_queued_rows,
            sla_ms=self._config.sla_ms,
        )

        def observe(rows: int, seconds: float) -> None:
            self.executions += 1
            admission.observe(rows, seconds)
            if self._adaptation is not None and posts[0].device == CPU:
                self._adaptation.worked(seconds)

        crew = Crew(
            starter,
            self._room,
            posts=posts,
            batch_size=batch_size,
            clock=asyncio.get_running_loop(),
            patience=lambda rows: hang_limit(rows, admission.time, self._config.hang_seconds),
            observe=observe,
        )
        return _Side(crew, admission, batch_size)


async def _retire(served: _Served) -> None:
    try:
        for side in served.sides:
            await side.crew.finish()
    finally:
        served.close()
