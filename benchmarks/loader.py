"""Rows per second of the loader alone, on rows of Criteo's shape (13 dense, 26 categorical)."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from hotrow.data.dataset import FORMAT_VERSION, SCHEMA_FILE, Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.data.schema import CategoricalFeature, DenseFeature, Schema
from hotrow.data.shards import write_shard

ROWS_PER_SHARD = 1 << 20
SHARDS = 4
REPEATS = 3


def run() -> dict[str, object]:
    """Write 4M random rows and read them in both orders; medians of three epochs each."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = _write(Path(folder) / "dataset")
        samples: dict[str, list[float]] = {"shuffled": [], "sequential": []}
        for epoch in range(REPEATS):
            for name, rates in samples.items():
                loader = Loader(dataset, "train", LoaderConfig(shuffle=name == "shuffled"))
                rates.append(_rate(loader, epoch))
    return {
        **{f"{name}_rows_per_second": statistics.median(rates) for name, rates in samples.items()},
        "batch_size": LoaderConfig().batch_size,
        "rows": SHARDS * ROWS_PER_SHARD,
    }


def _rate(loader: Loader, epoch: int) -> float:
    started = time.perf_counter()
    with loader.epoch(epoch) as batches:
        rows = sum(len(batch) for batch in batches)
    return rows / (time.perf_counter() - started)


def _write(folder: Path) -> Dataset:
    schema = Schema(
        format="criteo",
        label="label",
        dense=tuple(DenseFeature(name=f"I{index}") for index in range(1, 14)),
        categorical=tuple(CategoricalFeature(name=f"C{index}", rows=10**6) for index in range(1, 27)),
    )
    (folder / "train").mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = (rng.random(ROWS_PER_SHARD) < 0.25).astype(np.float32)
    dense = rng.normal(size=(ROWS_PER_SHARD, 13)).astype(np.float32)
    ids = rng.integers(0, 10**6, (ROWS_PER_SHARD, 26)).astype(np.int32)
    shards = [{"file": f"train/{index:05d}.arrow", "rows": ROWS_PER_SHARD} for index in range(SHARDS)]
    for shard in shards:
        write_shard(folder / str(shard["file"]), labels, dense, ids)
    splits = {"train": {"shards": shards}, "valid": {"shards": []}, "test": {"shards": []}}
    content = {"format_version": FORMAT_VERSION, "schema": schema.to_mapping(), "splits": splits}
    (folder / SCHEMA_FILE).write_text(json.dumps(content))
    return Dataset.open(folder)
