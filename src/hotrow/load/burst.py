"""Bursts of a search for the best knobs: how fast queries are answered that all wait from the start."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from hotrow.load.query import LoadQuery, Status
from hotrow.load.trial import TrialLoad
from hotrow.scheduling.trial import Outcome, Trial

_SIZES = 3
"""Stream of random numbers."""


async def measure_burst(load: TrialLoad, trial: Trial, *, seed: int) -> Outcome:
    """Make the burst that a trial asks for, whose knobs are set already.

    As many queries are under way as there is room for (``load.most_open``); the next one is sent when one of
    them is answered. Latencies count from the start of the burst.

    Args:
        load: what is loaded, and with what.
        trial: number of queries, and the seconds after which the rest is dropped.
        seed: of sizes; another for every trial.
    """
    sizes = load.sizes.draw(np.random.default_rng((seed, _SIZES)), trial.queries)
    latencies_ms = np.full(trial.queries, np.inf)
    numbers = iter(range(trial.queries))
    start = time.monotonic()

    async def send_in_turn() -> None:
        for number in numbers:
            rows = int(sizes[number])
            query = LoadQuery(number, rows, load.queries.content(number, rows))
            if await load.send(query) == Status.OK:
                latencies_ms[number] = (time.monotonic() - start) * 1e3

    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(send_in_turn()) for _ in range(min(load.most_open, trial.queries))]
    try:
        done, _ = await asyncio.wait(tasks, timeout=trial.most_seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()  # what went wrong with a query is not a capacity
    return Outcome(latencies_ms=latencies_ms, rows=int(sizes.sum()), seconds=time.monotonic() - start)
