"""The open loop: every query goes out at its time, whatever became of those before.

Sending never waits for answers, and latencies count from the scheduled arrival: a server that stalls is
charged for every query that came meanwhile (what closed loops leave out, "coordinated omission").
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from hotrow.load.alarm import Alarm, make_alarm
from hotrow.load.query import LoadQuery, QuerySource, Status
from hotrow.load.result import LoadResult
from hotrow.load.schedule import Schedule

Send = Callable[[LoadQuery[Any]], Awaitable[Status]]
"""Sends one query and returns what became of it; an exception counts as failed, with its text."""

Observe = Callable[[float, Status], None]
"""Told of every answer: seconds from the scheduled arrival, and what became of it."""

AHEAD = 32
"""Queries whose contents are made before their time."""

MAX_OUTSTANDING = 4096

_START_DELAY = 0.02


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """A load to be made.

    Attributes:
        schedule: when, and how many candidates.
        queries: makes the contents.
        max_outstanding: with more unanswered queries than this the run ends and is invalid: holding back
            the next one would close the loop, and silently.
        grace_seconds: after the last query was sent, how long answers are waited for; what then has none
            has failed.
    """

    schedule: Schedule
    queries: QuerySource[Any]
    max_outstanding: int = MAX_OUTSTANDING
    grace_seconds: float = 10.0


async def run_load(
    send: Send, plan: LoadPlan, *, stop: asyncio.Event | None = None, observe: Observe | None = None
) -> LoadResult:
    """Make a load in this event loop, and record it.

    Args:
        send: e.g. an engine in this process, or ``hotrow.load.http.HttpSender.send``.
        plan: the load.
        stop: when set, no further query is sent, and the run ends when the grace does.
        observe: told of every answer; may set ``stop``.
    """
    run = LoadRun(send, plan, stop=stop, observe=observe)
    run.make_ahead()
    return await run.finish(time.monotonic() + _START_DELAY)


class LoadRun:
    """One run. ``make_ahead`` before its start, then ``finish``.

    Args: as of ``run_load``.

    Attributes:
        counts: answers so far, by status; of ``UNSENT``, queries that were sent.
    """

    def __init__(
        self, send: Send, plan: LoadPlan, *, stop: asyncio.Event | None = None, observe: Observe | None = None
    ) -> None:
        self._send, self._plan, self._observe = send, plan, observe
        self._stop = stop or asyncio.Event()
        schedule = plan.schedule
        # Floats one by one, without a list of millions of objects.
        self._due_s = cast(Sequence[float], schedule.arrivals_s.data)
        self._sent_s = np.full(len(schedule), np.nan)
        self._done_s = np.full(len(schedule), np.nan)
        self._status = np.zeros(len(schedule), dtype=np.int8)
        self._next = self._made = 0
        self._ahead: deque[LoadQuery[Any]] = deque()
        self._is_making = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._start = 0.0
        self._grace_s = plan.grace_seconds
        self._invalid = self._first_failure = ""
        self.counts = dict.fromkeys(Status, 0)

    def make_ahead(self) -> None:
        """Make the contents of the first queries."""
        while self._make_one():
            pass

    async def finish(self, start: float) -> LoadResult:
        """Send all queries, wait for the answers, and return the record.

        Args:
            start: when the schedule begins, seconds of ``time.monotonic``.
        """
        self._start = start
        used = time.process_time()
        alarm = make_alarm(self._fire)
        self._alarm: Alarm = alarm
        try:
            if len(self._due_s):  # a part of a short run may have no query
                alarm.set(start + self._due_s[0])
                await self._stop.wait()
        finally:
            alarm.close()
        await self._collect()
        return self._result(time.process_time() - used)

    def abandon(self) -> None:
        """Send no further query, and wait for no answer."""
        self._grace_s = 0.0
        self._stop.set()

    def count_late(self, sla_s: float, first: int) -> int:
        """Return how many queries from index ``first`` on failed, or were or are later than ``sla_s``."""
        sent = slice(first, self._next)
        status, done_s = self._status[sent], self._done_s[sent]
        until_s = np.where(status == Status.UNSENT, time.monotonic() - self._start, done_s)
        is_late = until_s - self._plan.schedule.arrivals_s[sent] > sla_s
        return int(np.count_nonzero(is_late | (status > Status.OK)))

    def _fire(self) -> None:
        """Send what is due, set the alarm for the next, and make contents while nothing is."""
        due, n = self._due_s, len(self._due_s)
        now = time.monotonic() - self._start
        while self._next < n and due[self._next] <= now and not self._stop.is_set():
            self._launch()
        if self._next == n:
            self._stop.set()
        elif not self._stop.is_set():
            self._alarm.set(self._start + due[self._next])
            if not self._is_making:
                self._is_making = True
                asyncio.get_running_loop().call_soon(self._make_more)

    def _launch(self) -> None:
        if len(self._tasks) >= self._plan.max_outstanding:
            self._invalid = (
                f"{len(self._tasks)} queries were unanswered at {self._due_s[self._next]:.3f} s, the most "
                "that are kept open: the server does not keep up; lower the rate"
            )
            self._stop.set()
            return
        if not self._ahead:
            self._make_one()
        task = asyncio.get_running_loop().create_task(self._one(self._next, self._ahead.popleft()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._next += 1

    async def _one(self, index: int, query: LoadQuery[Any]) -> None:
        self._sent_s[index] = time.monotonic() - self._start
        self.counts[Status.UNSENT] += 1
        try:
            status = await self._send(query)
        except asyncio.CancelledError:
            if self._grace_s > 0:  # otherwise nobody waited for it
                self._failed(f"no answer within {self._grace_s:g} s after the last query was sent")
            self._status[index] = Status.FAILED
            raise
        except Exception as error:  # noqa: BLE001 - whatever a query meets is a result of the run
            status = self._failed(f"{type(error).__name__}: {error}")
        done = time.monotonic() - self._start
        self._done_s[index], self._status[index] = done, status
        self.counts[status] += 1
        if self._observe is not None:
            self._observe(done - self._due_s[index], status)

    def _failed(self, message: str) -> Status:
        self._first_failure = self._first_failure or message
        return Status.FAILED

    def _make_more(self) -> None:
        """Make one query a pass of the loop, so that none that is due waits for more than that."""
        self._is_making = self._make_one()
        if self._is_making:
            asyncio.get_running_loop().call_soon(self._make_more)

    def _make_one(self) -> bool:
        """Make the contents of one more query; false if enough are made."""
        schedule = self._plan.schedule
        if len(self._ahead) >= AHEAD or self._made == len(schedule):
            return False
        number, rows = schedule.number(self._made), int(schedule.sizes[self._made])
        self._ahead.append(LoadQuery(number, rows, self._plan.queries.content(number, rows)))
        self._made += 1
        return True

    async def _collect(self) -> None:
        """Wait for the answers of what was sent."""
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=self._grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _result(self, cpu_seconds: float) -> LoadResult:
        schedule = self._plan.schedule
        was_stopped = self._next < len(self._due_s)
        return LoadResult(
            scheduled_s=schedule.arrivals_s,
            sent_s=self._sent_s,
            done_s=self._done_s,
            rows=schedule.sizes,
            status=self._status,
            seconds=schedule.seconds,
            warmup_seconds=schedule.warmup_seconds,
            stopped_s=self._due_s[self._next] if was_stopped else None,
            invalid=self._invalid,
            first_failure=self._first_failure,
            cpu_seconds=cpu_seconds,
        )
