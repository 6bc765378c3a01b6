"""Random data sets of Criteo's shape: 13 dense and 26 categorical features, skewed ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.config import to_mapping
from hotrow.data.dataset import FORMAT_VERSION, SCHEMA_FILE, Dataset
from hotrow.data.raw import EncodedBlock
from hotrow.data.schema import CategoricalFeature, DenseFeature, Schema
from hotrow.data.shards import write_shard
from hotrow.data.vocabulary import VOCABULARY_FOLDER
from hotrow.files import write_json

KAGGLE_ROWS = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)
"""Rows of facebookresearch/dlrm's tables for Criteo Kaggle."""

NUM_DENSE = 13
_ALPHA = 1.05


def kaggle_schema(*, cap: int) -> Schema:
    """Return Criteo's schema with the Kaggle tables, none of more than ``cap`` rows."""
    return Schema(
        format="criteo",
        label="label",
        dense=tuple(DenseFeature(name=f"I{index}") for index in range(1, NUM_DENSE + 1)),
        categorical=tuple(
            CategoricalFeature(name=f"C{index}", rows=min(rows, cap), encoding="hash")
            for index, rows in enumerate(KAGGLE_ROWS, start=1)
        ),
    )


def write_random(folder: Path, schema: Schema, *, train: Sequence[int], test: int, valid: int = 0) -> Dataset:
    """Write a data set.

    Args:
        folder: of the data set.
        schema: its features.
        train: rows of each shard of that split.
        test: rows of the test split.
        valid: rows of the validation split.
    """
    rng = np.random.default_rng(0)
    splits: dict[str, object] = {}
    for split, sizes in (("train", train), ("valid", (valid,) if valid else ()), ("test", (test,))):
        (folder / split).mkdir(parents=True)
        shards = []
        for number, rows in enumerate(sizes):
            name = f"{split}/{number:06d}.arrow"
            write_shard(folder / name, _rows(schema, rows, rng), schema)
            shards.append({"file": name, "rows": rows})
        splits[split] = {"shards": shards}
    write_json(
        folder / SCHEMA_FILE,
        {"format_version": FORMAT_VERSION, "schema": to_mapping(schema), "splits": splits},
    )
    (folder / VOCABULARY_FOLDER).mkdir()  # without any: ids are as if they had been hashed
    return Dataset.open(folder)


def _rows(schema: Schema, rows: int, rng: np.random.Generator) -> EncodedBlock:
    """Return random rows; labels follow the first dense feature and the popular ids."""
    dense = rng.normal(size=(rows, NUM_DENSE)).astype(np.float32)
    ids = np.stack([_zipf(size, rows, rng) for size in schema.rows], axis=1)
    effects = ((ids.astype(np.int64) * 2654435761 >> 7) % 17 - 8) / 16.0
    logit = 0.5 * dense[:, 0] + effects.sum(axis=1) - 1.2
    labels = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    return EncodedBlock(dense, ids.astype(np.int32), labels)


def _zipf(size: int, rows: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Draw ids with Zipf popularity, the popular ones first as ``prepare`` orders them."""
    popularity = np.cumsum(1.0 / np.arange(1, size + 1) ** _ALPHA)
    return np.searchsorted(popularity / popularity[-1], rng.random(rows)).clip(0, size - 1).astype(np.int32)
