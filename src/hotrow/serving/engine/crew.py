"""The workers of one model: hands them sub-batches, gathers what they return, replaces those that die."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hotrow.data.raw import EncodedBlock
from hotrow.errors import InternalError, RequestError
from hotrow.scheduling.admission import Backlog
from hotrow.serving.engine.flight import Flight, Room, place, place_body
from hotrow.serving.engine.hiring import Given, Worker, hire
from hotrow.serving.engine.layout import Layout, Shape
from hotrow.serving.engine.messages import PACKET_BYTES, Kind, Outcome, Reply
from hotrow.serving.engine.posts import Post
from hotrow.serving.engine.queue import Waiting, WaitingLine, cut
from hotrow.serving.engine.request import Request, Scores
from hotrow.serving.engine.workers import Starter, is_stopped, kill

_LOG = logging.getLogger(__name__)
_DEPTH = 2
"""Tasks that a worker has at a time: the second is there when it has done the first."""
_ATTEMPTS = 3
"""A query over which so many workers died is given up: it may be what kills them."""
_RESTART_SECONDS = 1.0
_RESTART_SECONDS_AT_MOST = 60.0
"""Each time that a worker cannot be started it is twice as long until the next."""

_STALLED = "no worker runs and none could be started; try again later"


class Timer(Protocol):
    """What will be called."""

    def cancel(self) -> object:
        """Let it not be."""


class Clock(Protocol):
    """What the crew needs of an event loop, the time."""

    def time(self) -> float:
        """Return seconds."""

    def call_at(self, when: float, callback: Callable[..., object], /, *words: Any) -> Timer:
        """Call a function at a time."""


class Crew:
    """Workers of one model, and the queries that wait for them.

    Args:
        starter: makes workers.
        room: memory shared with them.
        posts: where they work; one worker for each.
        batch_size: asked for the rows of a sub-batch whenever a query is cut.
        clock: of deadlines; an event loop is one.
        patience: returns the seconds after which a worker with a task of so many rows counts as hanging.
        observe: told the rows and seconds of every sub-batch that was scored.

    Attributes:
        restarts: workers that were replaced.
        stalled: whether none runs and none could be started when it was last tried; all requests fail then.
    """

    def __init__(
        self,
        starter: Starter,
        room: Room,
        *,
        posts: Sequence[Post],
        batch_size: Callable[[], int],
        clock: Clock,
        patience: Callable[[int], float],
        observe: Callable[[int, float], None],
    ) -> None:
        self._starter = starter
        self._room = room
        self._posts = posts
        self._batch_size = batch_size
        self._clock = clock
        self._patience = patience
        self._observe = observe
        self._line = WaitingLine()
        self._flights: dict[Waiting, Flight] = {}
        self._workers: list[Worker] = []
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._starting: set[asyncio.Task[None]] = set()
        self.restarts = 0
        self.stalled = False

    async def start(self) -> None:
        """Start all workers and wait until they are ready.

        Raises:
            HotrowError: one could not be started.
        """
        for post in self._posts:
            await self._hire(post)

    @property
    def queued_rows(self) -> int:
        """Rows whose work was not begun."""
        return self._line.rows

    @property
    def backlog(self) -> Backlog:
        """Work that is not finished, that of the workers included."""
        given = [given for worker in self._workers for given in worker.given]
        rows = self._line.rows + sum(part[1] - part[0] for _, part, _ in given)
        return Backlog(rows, self._line.parts + len(given))

    @property
    def in_flight(self) -> int:
        """Queries that were not answered yet."""
        return len(self._flights)

    @property
    def size(self) -> int:
        """Workers that run."""
        return len(self._workers)

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers that run."""
        return [worker.process for worker in self._workers if worker.process is not None]

    async def score(self, request: Request, shape: Shape, deadline: float | None) -> Scores:
        """Have a request scored.

        Raises:
            RequestError: it is wrong; there is no room, or no worker (503); its deadline passed (504).
            InternalError: a worker failed, or workers ended over it.
        """
        if self.stalled:
            raise RequestError(_STALLED, status=503)
        layout, at, body_at = place(request, shape, self._room)
        is_raw = not isinstance(request, EncodedBlock)
        rows = layout.rows
        waiting = Waiting(rows, decoded=not is_raw)
        waiting.parts = cut(rows, self._batch_size()) if not is_raw else deque([(0, rows)])
        loop = asyncio.get_running_loop()
        flight = Flight(
            waiting=waiting,
            layout=layout,
            at=at,
            body_at=body_at,
            raw=None if isinstance(request, EncodedBlock) else request,
            future=loop.create_future(),
            arrived=self._clock.time(),
        )
        self._flights[waiting] = flight
        self._idle.clear()
        self._line.add(waiting)
        self._pump()
        timer = None if deadline is None else self._clock.call_at(deadline, self._expire, flight)
        try:
            return await flight.future
        finally:
            if timer is not None:
                timer.cancel()
            if not waiting.finished:
                self._line.drop(waiting)
            self._end_if_finished(flight)

    def watch(self) -> None:
        """Replace workers that are stopped or hang in the middle of their work; to be called now and then."""
        for worker in list(self._workers):
            if worker.process is not None and worker.given and is_stopped(worker.process):
                _LOG.warning("worker %d is stopped; it is replaced", worker.process)
                kill(worker.process)
            elif self._hangs(worker):
                _LOG.warning("worker %s has not answered for too long; it is replaced", worker.process)
                if worker.process is not None:
                    kill(worker.process)
                self._lose(worker)

    def _hangs(self, worker: Worker) -> bool:
        if not self._is_overdue(worker):
            return False
        self._read(worker)  # the one that was late may be this process
        return self._is_overdue(worker)

    def _is_overdue(self, worker: Worker) -> bool:
        if not worker.given:
            return False
        start, stop = worker.given[0].part
        return self._clock.time() - worker.since > self._patience(stop - start)

    async def finish(self) -> None:
        """Wait until no query is in flight."""
        await self._idle.wait()

    def close(self) -> None:
        """End the workers; queries that are in flight fail."""
        self._closed = True
        for flight in list(self._flights.values()):
            _fail(flight, RequestError("the server is shutting down", status=503))
        for worker in self._workers:
            worker.dismiss()
        self._workers.clear()
        for task in self._starting:
            task.cancel()
        self._starter.close()

    async def _hire(self, post: Post) -> None:
        worker = await hire(self._starter, post)
        self._workers.append(worker)
        self.stalled = False
        asyncio.get_running_loop().add_reader(worker.channel, self._read, worker)
        self._pump()

    def _pump(self) -> None:
        """Give waiting work to workers that have room, first to those that have none."""
        for depth in range(_DEPTH):
            for worker in list(self._workers):  # one may be found dead
                if len(worker.given) == depth and not self._give(worker):
                    return

    def _give(self, worker: Worker) -> bool:
        """Give a worker the next piece of work; tell whether there was any."""
        found = self._line.take()
        if found is None:
            return False
        now = self._clock.time()
        waiting, part = found
        flight = self._flights[waiting]
        if flight.began is None:
            flight.began = now
        task = flight.task(part, self._batch_size())
        if not worker.given:
            worker.since = now
        worker.given.append(Given(task, part, flight))
        try:
            worker.channel.send(task.pack())
        except (BrokenPipeError, ConnectionResetError):
            self._lose(worker)
        return True

    def _read(self, worker: Worker) -> None:
        """Take the replies that a worker has sent."""
        while True:
            try:
                packet = worker.channel.recv(PACKET_BYTES)
            except BlockingIOError:
                break
            except ConnectionResetError:
                packet = b""
            if not packet:
                self._lose(worker)
                break
            given = worker.given.popleft()
            worker.since, worker.answered = self._clock.time(), True
            reply = Reply.unpack(packet)
            self._settle(given, reply)
        self._pump()

    def _settle(self, given: Given, reply: Reply) -> None:
        """Take the outcome of a task into account."""
        flight = given.flight
        waiting = flight.waiting
        waiting.running -= 1
        flight.work_seconds += reply.seconds
        if reply.outcome == Outcome.REFUSED:
            status, _, text = reply.text.decode(errors="replace").partition(" ")
            self._give_up(flight, RequestError(text, status=int(status)))
        elif reply.outcome == Outcome.FAILED:
            self._give_up(flight, InternalError("a worker failed; the server's log has the details"))
        elif reply.outcome == Outcome.NO_ROOM:
            self._make_room(flight, reply)
        else:
            if given.task.kind != Kind.DECODE:
                self._observe(reply.rows or given.part[1] - given.part[0], reply.seconds)
            if given.task.kind != Kind.SCORE:
                self._decoded(flight, given.task.kind, reply)
        if waiting.finished and not flight.future.done():
            flight.future.set_result(flight.scores(self._room, self._clock.time()))
        self._end_if_finished(flight)

    def _decoded(self, flight: Flight, kind: Kind, reply: Reply) -> None:
        flight.wanted = reply.text
        flight.waiting.rows = reply.rows
        flight.waiting.decoded = True
        if kind == Kind.DECODE and not flight.waiting.dropped:
            flight.waiting.parts = cut(reply.rows, self._batch_size())
            self._line.add(flight.waiting, first=True)

    def _make_room(self, flight: Flight, reply: Reply) -> None:
        """Let a request be decoded again, into as much room as its rows turned out to need."""
        assert flight.raw is not None
        if flight.waiting.dropped:
            return
        layout = Layout(flight.layout.shape, reply.rows, reply.listed)
        try:
            flight.layout, at, flight.body_at = place_body(flight.raw, layout, self._room)
        except RequestError as error:
            self._give_up(flight, error)
            return
        self._room.give_back(flight.at)
        flight.at = at
        flight.waiting.rows = reply.rows
        flight.waiting.parts.append((0, reply.rows))
        self._line.add(flight.waiting, first=True)

    def _expire(self, flight: Flight) -> None:
        self._give_up(flight, RequestError("the deadline passed before the request was scored", status=504))

    def _give_up(self, flight: Flight, error: Exception) -> None:
        self._line.drop(flight.waiting)
        _fail(flight, error)

    def _end_if_finished(self, flight: Flight) -> None:
        """Free the memory of a request of which nothing runs any more and nobody waits."""
        if flight.waiting.finished and flight.future.done() and flight.waiting in self._flights:
            del self._flights[flight.waiting]
            if not self._flights:
                self._idle.set()
            self._room.give_back(flight.at)

    def _lose(self, worker: Worker) -> None:
        """Let the work of a dead worker wait again, and start another worker."""
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        worker.dismiss()
        _LOG.warning("worker %s has ended; its work is done again by others", worker.process)
        for position, given in enumerate(reversed(worker.given)):
            waiting = given.flight.waiting
            if position == len(worker.given) - 1:
                waiting.attempts += 1  # the one it worked at
            if waiting.attempts >= _ATTEMPTS:
                waiting.running -= 1
                self._give_up(given.flight, InternalError(f"{_ATTEMPTS} workers ended over this request"))
            else:
                self._line.put_back(waiting, given.part)
            self._end_if_finished(given.flight)
        worker.given.clear()
        self.restarts += 1
        task = asyncio.get_running_loop().create_task(self._replace(worker))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _replace(self, worker: Worker) -> None:
        if not worker.answered:  # it may be what is wrong with it
            await asyncio.sleep(_RESTART_SECONDS)
        seconds = _RESTART_SECONDS
        while not self._closed:
            try:
                await self._hire(worker.post)
            except Exception:  # noqa: BLE001 - whatever it is, without a worker nothing is answered
                _LOG.exception("a worker could not be started; it is tried again in %g s", seconds)
                self._stall_without_workers()
                await asyncio.sleep(seconds)
                seconds = min(2 * seconds, _RESTART_SECONDS_AT_MOST)
            else:
                return

    def _stall_without_workers(self) -> None:
        """Let nobody wait for workers of whom nobody knows when they will be there."""
        if self._workers:
            return
        self.stalled = True
        for flight in list(self._flights.values()):
            self._give_up(flight, RequestError(_STALLED, status=503))
            self._end_if_finished(flight)


def _fail(flight: Flight, error: Exception) -> None:
    if not flight.future.done():
        flight.future.set_exception(error)
