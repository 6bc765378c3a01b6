"""Data sets of who chose what, for tests of negative sampling."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.conftest import write_vocabulary

from hotrow.data.dataset import FORMAT_VERSION, SPLITS, Dataset
from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.data.shards import write_shard
from hotrow.files import write_json

USERS, ITEMS = 12, 30
"""Rows of their tables; the first two are reserved."""

SCHEMA = Schema(
    format="movielens",
    label="label",
    dense=(DenseFeature(name="age", transform="identity"),),
    categorical=(
        CategoricalFeature(name="user", rows=USERS),
        CategoricalFeature(name="hour", rows=24),
        CategoricalFeature(name="item", rows=ITEMS, key_type="integer"),
    ),
    lists=(
        ListFeature(name="history", kind="sequence", rows=ITEMS, of="item", weighted=True),
        ListFeature(name="tags", kind="bag", rows=9),
    ),
    group="user",
)


def choices(rows: int = 90, seed: int = 0) -> EncodedBlock:
    """Return distinct pairs of user and item with context: all but the item tells nothing of the item."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation((USERS - 2) * (ITEMS - 2))[:rows]
    users, items = 2 + pairs // (ITEMS - 2), 2 + pairs % (ITEMS - 2)
    return EncodedBlock(
        dense=(users[:, None] * 2.5).astype(np.float32),
        ids=np.stack([users, rng.integers(0, 24, rows), items], axis=1).astype(np.int32),
        labels=np.ones(rows, np.float32),
        lists=(_lists(rows, ITEMS, rng, weighted=True), _lists(rows, 9, rng)),
        groups=users.astype(np.int64),
    )


def _lists(rows: int, size: int, rng: np.random.Generator, *, weighted: bool = False) -> EncodedList:
    ids = rng.integers(2, size, 200).astype(np.int32)
    lengths = rng.integers(0, 6, rows)
    weights = rng.random(200, dtype=np.float32) if weighted else None
    return EncodedList(ids, rng.integers(0, 190, rows), lengths, weights)


def write_choices(
    folder: Path, block: EncodedBlock, schema: Schema = SCHEMA, *, judged: EncodedBlock | None = None
) -> Dataset:
    """Write a data set with these training rows, in two shards, and others to judge a model on."""
    cut = len(block.ids) // 3
    parts = {"train": [take(block, slice(0, cut)), take(block, slice(cut, None))]}
    parts |= dict.fromkeys(("valid", "test"), [] if judged is None else [judged])
    splits = {}
    for split in SPLITS:
        (folder / split).mkdir(parents=True)
        shards = []
        for number, part in enumerate(parts[split]):
            name = f"{split}/{number}.arrow"
            write_shard(folder / name, part, schema)
            shards.append({"file": name, "rows": len(part.ids)})
        splits[split] = {"shards": shards}
    (folder / "vocab").mkdir()
    for name, size in (("user", USERS), ("hour", 24), ("item", ITEMS), ("tags", 9)):
        write_vocabulary(folder / "vocab" / f"{name}.arrow", size)
    content = {"format_version": FORMAT_VERSION, "schema": schema.to_mapping(), "splits": splits}
    write_json(folder / "schema.json", content)
    return Dataset.open(folder)


def take(block: EncodedBlock, here: slice | NDArray[np.integer[Any]]) -> EncodedBlock:
    """Return some of the rows."""
    assert block.labels is not None
    assert block.groups is not None
    return EncodedBlock(
        dense=block.dense[here],
        ids=block.ids[here],
        labels=block.labels[here],
        lists=tuple(
            EncodedList(rows.ids, rows.starts[here], rows.lengths[here], rows.weights) for rows in block.lists
        ),
        groups=block.groups[here],
    )


def bags(ids: NDArray[np.generic], offsets: NDArray[np.int64]) -> list[list[object]]:
    """Return each bag's values."""
    return [ids[start:end].tolist() for start, end in pairwise(offsets.tolist())]
