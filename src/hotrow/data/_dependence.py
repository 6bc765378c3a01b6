"""Which columns of a data set tell of the item alone, by what the rows say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.hashing import mix64
from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import Schema

Column = NDArray[Any]


def columns_of_item(shards: Sequence[EncodedBlock], schema: Schema, *, user: int, item: int) -> list[str]:
    """Return the names of the columns with one value for each item, but not one for each user.

    Where each item occurs once, that is every column that is not the user's.

    Args:
        shards: the split's rows.
        schema: names the columns.
        user: column of the users' ids among the categorical features.
        item: column of the items' ids.
    """
    users_R = np.concatenate([shard.ids[:, user] for shard in shards])
    items_R = np.concatenate([shard.ids[:, item] for shard in shards])
    return [
        name
        for name, values_R in _columns(shards, schema, skipped=(user, item))
        if _is_function_of(items_R, values_R) and not _is_function_of(users_R, values_R)
    ]


def _is_function_of(ids_R: NDArray[np.int32], values_R: Column) -> bool:
    """Return whether rows of one id all have one value."""
    value_of = np.zeros(int(ids_R.max(initial=0)) + 1, dtype=values_R.dtype)
    value_of[ids_R] = values_R
    return bool((value_of[ids_R] == values_R).all())


def _columns(
    shards: Sequence[EncodedBlock], schema: Schema, *, skipped: tuple[int, ...]
) -> Iterator[tuple[str, Column]]:
    """Yield name and one number a row of each column; of a list, a hash of its ids."""
    for index, dense in enumerate(schema.dense):
        yield dense.name, np.concatenate([shard.dense[:, index] for shard in shards])
    for index, feature in enumerate(schema.categorical):
        if index not in skipped:
            yield feature.name, np.concatenate([shard.ids[:, index] for shard in shards])
    for index, column in enumerate(schema.lists):
        yield column.name, np.concatenate([_hashes(shard.lists[index]) for shard in shards])


def _hashes(rows: EncodedList) -> NDArray[np.uint64]:
    """Return (B,) hashes: the sums of the ids' own hashes, so whatever their order."""
    mixed = mix64(rows.ids.astype(np.uint64) + np.uint64(1))  # an id of 0 would add nothing
    sums = np.concatenate([[np.uint64(0)], np.cumsum(mixed, dtype=np.uint64)])
    starts = rows.starts.astype(np.int64)
    difference: NDArray[np.uint64] = sums[starts + rows.lengths] - sums[starts]
    return difference
