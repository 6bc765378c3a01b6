"""A request on its way through the workers: its place in shared memory and the one who waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from hotrow.data.raw import EncodedBlock
from hotrow.errors import RequestError
from hotrow.serving.engine.arena import Blocks, SharedMemory
from hotrow.serving.engine.layout import Layout, Shape
from hotrow.serving.engine.messages import Kind, Task
from hotrow.serving.engine.queue import Waiting
from hotrow.serving.engine.request import RawRequest, Request, Scores


class Room:
    """Shared memory for requests, bounded.

    Args:
        size: bytes, a power of two.
    """

    def __init__(self, size: int) -> None:
        self.memory = SharedMemory.create(size)
        self._blocks = Blocks(size)

    def take(self, size: int) -> int:
        """Return where ``size`` bytes begin that nobody uses.

        Raises:
            RequestError: there are none now (503).
        """
        at = self._blocks.take(size)
        if at is None:
            raise RequestError("the memory for requests is full, try again later", status=503)
        return at

    def give_back(self, at: int) -> None:
        """Let others use the bytes that begin at ``at``."""
        self._blocks.give_back(at)

    @property
    def taken(self) -> int:
        """Bytes in use."""
        return self._blocks.taken


@dataclass(slots=True, eq=False)
class Flight:
    """A request that is worked on.

    Attributes:
        waiting: what is left to do of it.
        layout: room for its rows.
        at: where they begin.
        body_at: where its body begins, if it is raw.
        raw: the request, if it is raw; an answer goes to ``future`` either way.
        future: of its scores.
        arrived: when, by the engine's clock.
        began: when its first work was given to a worker.
        work_seconds: of all workers together.
        wanted: what the decoder returned.
    """

    waiting: Waiting
    layout: Layout
    at: int
    body_at: int
    raw: RawRequest | None
    future: asyncio.Future[Scores]
    arrived: float
    began: float | None = None
    work_seconds: float = 0.0
    wanted: bytes = b""

    def task(self, part: tuple[int, int], whole_below: int) -> Task:
        """Return the task of a part; what is not decoded yet and at most so many rows is done in one."""
        raw = self.raw
        if self.waiting.decoded or raw is None:
            kind = Kind.SCORE
        else:
            kind = Kind.WHOLE if self.waiting.rows <= whole_below else Kind.DECODE
        rows, listed = self.layout.rows, self.layout.listed
        if raw is None:
            return Task(kind, self.at, 0, 0, rows, listed, *part)
        body = (self.body_at, len(raw.body), rows, listed)
        return Task(kind, self.at, *body, *part, raw.header_bytes, raw.call)

    def scores(self, room: Room, now: float) -> Scores:
        """Return its scores, copied."""
        scores = self.layout.scores(room.memory.bytes, self.at)
        return Scores(
            scores[: self.waiting.rows].copy(),
            self.wanted,
            (self.began or now) - self.arrived,
            self.work_seconds,
        )


def place(request: Request, shape: Shape, room: Room) -> tuple[Layout, int, int]:
    """Put a request into shared memory; return its layout and where its rows and its body begin.

    Raises:
        RequestError: there is no room (503).
    """
    if isinstance(request, EncodedBlock):
        layout = Layout(shape, len(request.dense), sum(len(part.ids) for part in request.lists))
        at = room.take(layout.size)
        layout.at(room.memory.bytes, at).write(request)
        return layout, at, 0
    listed = request.body.count(b",") + 1 if shape.lists else 0
    return place_body(request, Layout(shape, max(request.rows, 1), listed), room)


def place_body(request: RawRequest, layout: Layout, room: Room) -> tuple[Layout, int, int]:
    """Put a body into shared memory, behind room for its rows."""
    at = room.take(layout.size + len(request.body))
    body_at = at + layout.size
    room.memory.bytes[body_at : body_at + len(request.body)] = np.frombuffer(request.body, dtype=np.uint8)
    return layout, at, body_at
