"""Last pass of ``prepare``: the shards of every split."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hotrow.data.manifest import ShardInfo, SplitInfo
from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import Schema
from hotrow.data.shards import MAX_LISTED, SHARD_ROWS, write_shard
from hotrow.data.stage import Stage
from hotrow.files import sha256_file
from hotrow.progress import progress

_ROWS_AT_ONCE = 1 << 15  # rows whose ids are transposed at once
_MAX_THREADS = 2  # each holds one shard in memory
_LISTED_AT_ONCE = 1 << 25  # ids of list features in a shard, about: 128 MiB


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
    size = _shard_rows(stage)
    parts = [
        (name, number, rows[start : start + size])
        for name, rows in ranges.items()
        for number, start in enumerate(range(0, len(rows), size))
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


def _shard_rows(stage: Stage) -> int:
    """Return how many rows a shard gets at most: fewer where lists are long."""
    lists = stage.schema.lists
    listed = sum(len(stage.listed(at, 0, stage.rows)) for at in range(len(lists)))
    longest = max((feature.max_length for feature in lists), default=1)
    return max(1, min(SHARD_ROWS, MAX_LISTED // longest, _LISTED_AT_ONCE * stage.rows // max(listed, 1)))


def _write_shard(
    stage: Stage, schema: Schema, folder: Path, split: str, number: int, rows: range
) -> tuple[ShardInfo, int]:
    """Write one shard; return what the manifest says of it, and its positive labels."""
    labels = stage.labels(rows.start, rows.stop)
    features = range(len(schema.categorical))
    ids = np.empty((len(rows), len(features)), dtype=np.int32)
    for start in range(rows.start, rows.stop, _ROWS_AT_ONCE) if features else ():
        stop = min(start + _ROWS_AT_ONCE, rows.stop)
        columns = np.stack([stage.ids(column, start, stop) for column in features])
        ids[start - rows.start : stop - rows.start] = columns.T
    block = EncodedBlock(
        stage.dense(rows.start, rows.stop),
        ids,
        labels.astype(np.float32),
        lists=tuple(_list(stage, column, rows) for column in range(len(schema.lists))),
        groups=stage.groups(rows.start, rows.stop) if schema.group else None,
    )
    name = f"{split}/{number:06d}.arrow"
    path = folder / name
    write_shard(path, block, schema)
    main = labels if labels.ndim == 1 else labels[:, 0]
    return ShardInfo(file=name, rows=len(rows), sha256=sha256_file(path)), int(np.count_nonzero(main))


def _list(stage: Stage, feature: int, rows: range) -> EncodedList:
    place = stage.listed(feature, rows.start, rows.stop)
    lengths = stage.lengths(feature, rows.start, rows.stop)
    ids = stage.list_ids(feature, place.start, place.stop)
    weights = stage.list_weights(feature, place.start, place.stop)
    return EncodedList(ids, np.cumsum(lengths) - lengths, lengths, weights)
