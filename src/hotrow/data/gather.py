"""Rows of a split in any order, gathered from its memory-mapped shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._slices import flat_indices
from hotrow.data.raw import EncodedBlock, EncodedList


class RowGather:
    """Gathers features of rows by their number in the split.

    Args:
        shards: of the split, at least one.

    Attributes:
        rows: of the split.
    """

    def __init__(self, shards: Sequence[EncodedBlock]) -> None:
        self._shards = shards
        ends = np.cumsum([len(shard.dense) for shard in shards])
        self._borders = ends[:-1]
        self._starts = np.concatenate([[0], ends[:-1]])
        self.rows = int(ends[-1])

    def take(self, rows: NDArray[np.int64]) -> EncodedBlock:
        """Copy the features of some rows, without labels and groups.

        Args:
            rows: (B,) in [0, ``self.rows``); of several shards they must ascend.

        Returns:
            B rows in the given order. Lists lie one after another: ``ids`` holds nothing else.
        """
        if len(self._shards) == 1:
            return _take(self._shards[0], rows)
        pieces = np.split(rows, np.searchsorted(rows, self._borders))
        whole = zip(self._shards, pieces, self._starts, strict=True)
        return _join([_take(shard, piece - start) for shard, piece, start in whole if len(piece)])


def _take(shard: EncodedBlock, rows: NDArray[np.int64]) -> EncodedBlock:
    # np.take copies rows about three times as fast as indexing does.
    return EncodedBlock(
        dense=shard.dense.take(rows, axis=0),
        ids=shard.ids.take(rows, axis=0),
        labels=None,
        lists=tuple(_take_list(listed, rows) for listed in shard.lists),
    )


def _take_list(listed: EncodedList, rows: NDArray[np.int64]) -> EncodedList:
    starts, lengths = listed.starts[rows], listed.lengths[rows]
    index = flat_indices(starts, lengths)
    weights = None if listed.weights is None else listed.weights.take(index)
    return packed_list(listed.ids.take(index), lengths, weights)


def packed_list(
    ids: NDArray[np.int32], lengths: NDArray[np.integer[Any]], weights: NDArray[np.float32] | None = None
) -> EncodedList:
    """Return lists that lie one after another in ``ids``."""
    return EncodedList(ids, np.cumsum(lengths, dtype=np.int64) - lengths, lengths, weights)


def _join(parts: Sequence[EncodedBlock]) -> EncodedBlock:
    lists = []
    for runs in zip(*(part.lists for part in parts), strict=True):
        weights = [run.weights for run in runs if run.weights is not None]
        lists.append(
            packed_list(
                np.concatenate([run.ids for run in runs]),
                np.concatenate([run.lengths for run in runs]),
                np.concatenate(weights) if weights else None,
            )
        )
    return EncodedBlock(
        dense=np.concatenate([part.dense for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        labels=None,
        lists=tuple(lists),
    )
