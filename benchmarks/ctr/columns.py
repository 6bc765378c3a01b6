"""The rows of a prepared data set as named columns, which is how other libraries take them.

Shapes: B batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig

Columns = Mapping[str, NDArray[Any]]
"""A column for each categorical feature (B,), each list feature (B, longest), and ``label`` (B,)."""


@dataclass(frozen=True)
class Column:
    """A feature as other libraries take it.

    Attributes:
        name: of the feature.
        rows: ids run from 0 to rows - 1.
        length: ids of a row; None for a single one. Of a list, 0 is padding and ids are one higher.
    """

    name: str
    rows: int
    length: int | None


def list_lengths(dataset: Dataset) -> list[int]:
    """Return the length of the longest list of each list feature, over all splits."""
    longest = [0] * len(dataset.schema.lists)
    for split in ("train", "valid", "test"):
        for shard in dataset.shards(split):
            longest = [
                max(known, int(found.lengths.max(initial=0)))
                for known, found in zip(longest, shard.lists, strict=True)
            ]
    return longest


def describe(dataset: Dataset) -> list[Column]:
    """Return the features of a data set, the categorical ones first."""
    single = [Column(feature.name, feature.rows, None) for feature in dataset.schema.categorical]
    pairs = zip(dataset.schema.lists, list_lengths(dataset), strict=True)
    return [*single, *(Column(feature.name, feature.rows + 1, length) for feature, length in pairs)]


def read_split(dataset: Dataset, split: str) -> dict[str, NDArray[Any]]:
    """Return a split's rows as columns, in the order in which they are stored."""
    names = [feature.name for feature in dataset.schema.categorical]
    lengths = list_lengths(dataset)
    found: dict[str, list[NDArray[Any]]] = {}
    with Loader(dataset, split, LoaderConfig(batch_size=65536)).epoch() as batches:
        for batch in batches:
            assert batch.labels is not None
            found.setdefault("label", []).append(batch.labels.numpy())
            for column, name in enumerate(names):
                found.setdefault(name, []).append(batch.ids[:, column].numpy())
            if batch.lists is None:
                continue
            ids, offsets = batch.lists.ids.numpy(), batch.lists.offsets.numpy()
            for number, feature in enumerate(dataset.schema.lists):
                here = offsets[number * len(batch) : (number + 1) * len(batch) + 1]
                found.setdefault(feature.name, []).append(_padded(ids, here, lengths[number]))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _padded(ids: NDArray[Any], offsets: NDArray[Any], length: int) -> NDArray[np.int32]:
    """Return (B, length) ids + 1, zeros behind a shorter list."""
    place = offsets[:-1, None] + np.arange(length)
    is_there = place < offsets[1:, None]
    padded: NDArray[np.int32] = np.where(is_there, ids[np.minimum(place, len(ids) - 1)] + 1, 0).astype(
        np.int32
    )
    return padded
