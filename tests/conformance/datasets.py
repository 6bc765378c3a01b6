"""Data sets on disk with given inputs, and their raw rows; key k of a feature is row k."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tests.conformance.batches import make_batch

from hotrow.data.raw import MISSING_KEY, EncodedBlock, EncodedList, RawBlock, RawList
from hotrow.data.schema import MISSING_ID, RESERVED_IDS, CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.data.shards import write_shard
from hotrow.data.vocabulary import Vocabulary, vocabulary_path
from hotrow.files import write_json
from hotrow.types import Batch, Inputs

SPLITS = {"train": 150, "valid": 40, "test": 37}


def schema_of(inputs: Inputs) -> Schema:
    """Return a schema that has these inputs."""
    return Schema(
        format="criteo",
        label=inputs.tasks[0],
        more_labels=inputs.tasks[1:],
        dense=tuple(DenseFeature(name=f"d{n}", transform="identity") for n in range(inputs.num_dense)),
        categorical=tuple(
            CategoricalFeature(name=name, rows=rows, key_type="integer")
            for name, rows in zip(inputs.names, inputs.rows, strict=True)
        ),
        lists=tuple(
            ListFeature(
                name=feature.name,
                kind=feature.kind,
                rows=feature.rows,
                of="" if feature.has_own_table else feature.table,
                mean_length=feature.length,
                pooling=feature.pooling,
            )
            for feature in inputs.lists
        ),
    )


def write_vocabularies(folder: Path, inputs: Inputs) -> None:
    """Write vocabularies in which key k is row k."""
    folder.mkdir()
    tables = dict(zip(inputs.names, inputs.rows, strict=True))
    tables |= {feature.table: feature.rows for feature in inputs.lists}
    for name, rows in tables.items():
        keys = np.arange(RESERVED_IDS, rows, dtype=np.uint64)
        Vocabulary(keys, np.ones(keys.size, dtype=np.int64)).save(vocabulary_path(folder, name))


def raw_keys(ids: torch.Tensor) -> NDArray[np.uint64]:
    """Return keys that are encoded to these ids."""
    keys = ids.numpy().astype(np.uint64)
    return np.where(keys == MISSING_ID, MISSING_KEY, keys)


def raw_block(batch: Batch) -> RawBlock:
    """Return raw rows that are encoded to a batch."""
    lists: tuple[RawList, ...] = ()
    if batch.lists is not None:
        keys = raw_keys(batch.lists.ids)
        lists = tuple(RawList(keys, *of_feature) for of_feature in slices_of(batch))
    return RawBlock(batch.dense.double().numpy(), raw_keys(batch.ids).T, None, lists=lists)


def slices_of(batch: Batch) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return where each list feature's ids start, and how many they are, of each row."""
    if batch.lists is None:
        return []
    offsets = batch.lists.offsets.numpy()
    columns = (x.reshape(-1, len(batch)) for x in (offsets[:-1], np.diff(offsets)))
    return [*zip(*columns, strict=True)]


def encoded_block(batch: Batch) -> EncodedBlock:
    """Return a batch as data sets hold it."""
    assert batch.labels is not None
    lists: tuple[EncodedList, ...] = ()
    if batch.lists is not None:
        lists = tuple(EncodedList(batch.lists.ids.numpy(), *of_feature) for of_feature in slices_of(batch))
    return EncodedBlock(batch.dense.numpy(), batch.ids.numpy(), batch.labels.numpy(), lists)


def write_dataset(folder: Path, inputs: Inputs) -> Path:
    """Write a prepared data set; split number i is ``make_batch(inputs, rows, seed=i)``."""
    folder.mkdir()
    schema = schema_of(inputs)
    write_vocabularies(folder / "vocab", inputs)
    content = {}
    for seed, (split, rows) in enumerate(SPLITS.items()):
        block = encoded_block(make_batch(inputs, rows, seed=seed))
        assert block.labels is not None
        (folder / split).mkdir()
        write_shard(folder / split / "00000.arrow", block, schema)
        content[split] = {
            "rows": rows,
            "positives": int(block.labels.reshape(rows, -1)[:, 0].sum()),
            "shards": [{"file": f"{split}/00000.arrow", "rows": rows}],
        }
    write_json(
        folder / "schema.json", {"format_version": 1, "schema": schema.to_mapping(), "splits": content}
    )
    return folder
