"""Last pass of ``prepare``: the shards of every split."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hotrow.data.manifest import ShardInfo, SplitInfo
from hotrow.data.raw import EncodedBlock
from hotrow.data.schema import Schema
from hotrow.data.shards import SHARD_ROWS, write_shard
from hotrow.data.stage import Stage
from hotrow.files import sha256_file
from hotrow.progress import progress

_ROWS_AT_ONCE = 1 << 15  # rows whose ids are transposed at once
_MAX_THREADS = 2  # each holds one shard in memory


def write_splits(
    stage: Stage,
    ranges: Mapping[str, range],
    schema: Schema,
    folder: Path,
    *,
    show_progress: bool,
) -> dict[str, SplitInfo]:
    """Write the shards of every split.

    Args:
        stage: all accepted rows, with ids.
        ranges: the rows of each split.
        schema: of the data set.
        folder: takes one folder a split.
        show_progress: report progress on standard error.
    """
    threads = min(os.cpu_count() or 1, _MAX_THREADS)
    parts = [
        (name, number, rows[start : start + SHARD_ROWS])
        for name, rows in ranges.items()
        for number, start in enumerate(range(0, len(rows), SHARD_ROWS))
    ]
    for name in ranges:
        (folder / name).mkdir()
    found: dict[str, list[tuple[ShardInfo, int]]] = {name: [] for name in ranges}
    with (
        progress("write", stage.rows, "rows", show=show_progress) as bar,
        ThreadPoolExecutor(threads) as pool,
    ):
        written = pool.map(lambda part: _write_shard(stage, schema, folder, *part), parts)
        for (name, _, rows), (shard, positives) in zip(parts, written, strict=True):
            found[name].append((shard, positives))
            bar.advance(len(rows))
    return {
        name: SplitInfo(
            rows=len(ranges[name]),
            positives=sum(positives for _, positives in shards),
            shards=tuple(shard for shard, _ in shards),
        )
        for name, shards in found.items()
    }


def _write_shard(
    stage: Stage, schema: Schema, folder: Path, split: str, number: int, rows: range
) -> tuple[ShardInfo, int]:
    """Write one shard; return what the manifest says of it, and its positive labels."""
    labels = stage.labels(rows.start, rows.stop)
    ids = np.empty((len(rows), stage.num_categorical), dtype=np.int32)
    for start in range(rows.start, rows.stop, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, rows.stop)
        columns = np.stack([stage.ids(column, start, stop) for column in range(stage.num_categorical)])
        ids[start - rows.start : stop - rows.start] = columns.T
    name = f"{split}/{number:06d}.arrow"
    path = folder / name
    write_shard(
        path, EncodedBlock(stage.dense(rows.start, rows.stop), ids, labels.astype(np.float32)), schema
    )
    return ShardInfo(file=name, rows=len(rows), sha256=sha256_file(path)), int(np.count_nonzero(labels))
