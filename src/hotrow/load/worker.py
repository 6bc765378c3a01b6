"""One process of a load: it makes its part of the schedule and reports to its parent.

It sends ``("ready", None)``, ``("counts", ...)`` now and then, and at the end ``("result", LoadResult)`` or
``("error", text)``. It hears ``("start", time)`` and ``("stop", None)``, on a pipe of its own: an event loop
may make what it listens to non-blocking, and a result must be sent whole. When the parent ends, so does this.
"""

from __future__ import annotations

import asyncio
import gc
from multiprocessing.connection import Connection

from hotrow.descriptors import allow_descriptors
from hotrow.errors import UserError
from hotrow.load.generator import LoadPlan, LoadRun
from hotrow.load.http.sender import HttpSender
from hotrow.load.job import HttpJob
from hotrow.load.schedule import make_schedule

_COUNTS_EVERY_S = 0.25
_OTHER_FILES = 64


def work(hears: Connection, tells: Connection, job: HttpJob, part: int, parts: int) -> None:
    """Run one part of a job, in a process of its own.

    Args:
        hears: from the parent.
        tells: to the parent.
        job: the whole load.
        part: which part, from 0.
        parts: how many there are.
    """
    try:
        wanted = -(-job.max_outstanding // parts) + _OTHER_FILES  # a connection for each unanswered query
        most = allow_descriptors(wanted) - _OTHER_FILES
        schedule = make_schedule(job.config).part(part, parts)
        plan = LoadPlan(
            schedule=schedule,
            queries=job.queries(),
            max_outstanding=most,
            grace_seconds=job.grace_seconds,
        )
        asyncio.run(_load(hears, tells, job, plan))
    except UserError as error:
        tells.send(("error", str(error)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone


async def _load(hears: Connection, tells: Connection, job: HttpJob, plan: LoadPlan) -> None:
    sender = HttpSender(job.url, is_ranking=job.is_ranking)
    stop = asyncio.Event()
    run = LoadRun(sender.send, plan, stop=stop)
    run.make_ahead()
    gc.collect()
    gc.freeze()  # what lives now lives to the end: looking through it again would only be lag
    tells.send(("ready", None))
    kind, start = hears.recv()
    if kind == "stop":
        stop.set()
        start = 0.0
    loop = asyncio.get_running_loop()
    loop.add_reader(hears.fileno(), _hear, hears, stop)
    counting = asyncio.create_task(_count(tells, run))
    try:
        result = await run.finish(start)
    finally:
        counting.cancel()
        loop.remove_reader(hears.fileno())
        sender.pool.close()
    tells.send(("result", result))


def _hear(hears: Connection, stop: asyncio.Event) -> None:
    """Stop when told to, or when the parent is gone."""
    try:
        hears.recv()
    except (EOFError, ConnectionResetError):
        asyncio.get_running_loop().remove_reader(hears.fileno())
    stop.set()


async def _count(tells: Connection, run: LoadRun) -> None:
    while True:
        await asyncio.sleep(_COUNTS_EVERY_S)
        tells.send(("counts", {int(status): count for status, count in run.counts.items()}))
