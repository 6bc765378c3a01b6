"""What one query takes on workers that have nothing else to do: no target below it can be held."""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import time
from pathlib import Path

from hotrow.artifact.manifest import read_manifest
from hotrow.data.schema import Schema
from hotrow.load import SyntheticRows
from hotrow.serving import Engine, EngineConfig
from hotrow.serving.engine.workers import workers_of

_TIMED = 7


def alone_ms(artifact: Path, rows: int) -> float:
    """Return the median time of a query of so many rows, cut for all workers, one for each core."""
    return asyncio.run(_alone_ms(artifact, rows))


async def _alone_ms(artifact: Path, rows: int) -> float:
    workers = len(os.sched_getaffinity(0))
    engine = Engine(workers_of(artifact), EngineConfig(workers=workers, batch_size=math.ceil(rows / workers)))
    queries = SyntheticRows(Schema.from_mapping(read_manifest(artifact).schema, where="schema"), seed=0)
    found = []
    try:
        await engine.start()
        for number in range(_TIMED):
            block = queries.content(number, rows)
            started = time.perf_counter()
            await engine.score(block)
            found.append(time.perf_counter() - started)
    finally:
        await engine.close()
    return statistics.median(found) * 1e3
