"""Rows per second of the loader alone, on rows of Criteo's shape (13 dense, 26 categorical)."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks._criteo import kaggle_schema, write_random
from hotrow.data.loader import Loader, LoaderConfig

ROWS_PER_SHARD = 1 << 20
SHARDS = 3
REPEATS = 5


def run() -> dict[str, object]:
    """Read 3M rows in both orders, by turns; medians over the epochs."""
    rates: dict[str, list[float]] = {"shuffled": [], "sequential": []}
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_random(
            Path(folder) / "data", kaggle_schema(cap=10**6), train=[ROWS_PER_SHARD] * SHARDS, test=1
        )
        for epoch in range(REPEATS):
            for name, found in rates.items():
                loader = Loader(dataset, "train", LoaderConfig(shuffle=name == "shuffled"))
                found.append(_rate(loader, epoch))
    figures: dict[str, object] = {
        f"{name}_rows_per_second": statistics.median(found) for name, found in rates.items()
    }
    return figures | {"batch_size": LoaderConfig().batch_size, "rows": SHARDS * ROWS_PER_SHARD}


def _rate(loader: Loader, epoch: int) -> float:
    started = time.perf_counter()
    with loader.epoch(epoch) as batches:
        rows = sum(len(batch) for batch in batches)
    return rows / (time.perf_counter() - started)
