"""In which order a loader visits the rows of a split.

Shuffled order is two-level, so that a data set larger than memory is read in pieces of some
40 KiB instead of single rows: the split is cut into blocks of consecutive rows, the blocks are
permuted over the whole split, and the rows of each window of successive permuted blocks are
permuted among themselves. The order is a pure function of (seed, epoch), and any position in it is
reached without visiting what comes before. Where only some rows take part, blocks are made of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.data._slices import flat_indices, join_runs
from hotrow.data.dataset import copy_rows, fixed_columns, take_rows
from hotrow.data.raw import EncodedBlock, EncodedList


class Order(Protocol):
    """A visiting order of the rows of a split that take part."""

    def fill(self, position: int, out: EncodedBlock) -> list[tuple[EncodedList, ...]]:
        """Write the rows at ``position`` and after it in this order into all of ``out``.

        Returns:
            Their M list features, a tuple for each run of rows; they stay as they are when others are filled.
        """

    def numbers(self, position: int, count: int) -> NDArray[np.int64]:
        """Return which rows of the split those at ``position`` and after it are, (count,); reads none."""


class Sequential:
    """The rows as they lie in the split.

    Args:
        shards: the split's shards.
        selection: numbers of the rows that take part, ascending; None for all.
    """

    def __init__(self, shards: Sequence[EncodedBlock], selection: NDArray[np.int64] | None = None) -> None:
        self._shards = shards
        self._starts = _starts(shards)
        self._selection = selection

    def fill(self, position: int, out: EncodedBlock) -> list[tuple[EncodedList, ...]]:
        """Write the rows at ``position`` and after it into all of ``out``; return their list features."""
        if self._selection is None:
            return copy_rows(self._shards, self._starts, position, out)
        rows = self._selection[position : position + len(out)]
        return take_rows(self._shards, self._starts, rows, out)

    def numbers(self, position: int, count: int) -> NDArray[np.int64]:
        """Return which rows of the split those at ``position`` and after it are, (count,)."""
        return self.at(np.arange(position, position + count))

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which rows of the split stand at positions."""
        return positions if self._selection is None else self._selection[positions]


class Shuffled:
    """The rows in the shuffled order of one epoch.

    Args:
        shards: the split's shards.
        rows: how many rows of the split, or of the selection, take part: the first ones.
        block_rows: rows of a block; the last block may have fewer.
        window_blocks: blocks of a window, which is what is held in memory.
        seed: with ``epoch``, decides the order.
        epoch: counts from 0.
        selection: numbers of the rows that take part, ascending; None for all.
    """

    def __init__(
        self,
        shards: Sequence[EncodedBlock],
        *,
        rows: int,
        block_rows: int,
        window_blocks: int,
        seed: int,
        epoch: int,
        selection: NDArray[np.int64] | None = None,
    ) -> None:
        self._shards = shards
        self._stored = Sequential(shards, selection)
        self._block_rows = block_rows
        self._window_blocks = window_blocks
        self._entropy = (seed, epoch)
        blocks = -(-rows // block_rows)
        self._blocks = np.random.default_rng(self._entropy).permutation(blocks)
        self._sizes = np.minimum(block_rows, rows - self._blocks * block_rows)
        # Windows differ in length only where the short last block falls.
        firsts = np.arange(0, blocks, window_blocks)
        lengths = np.add.reduceat(self._sizes, firsts) if blocks else np.zeros(0, np.int64)
        self._borders = np.concatenate([[0], np.cumsum(lengths)])
        self._loaded = -1
        self._window = _empty_like(shards, 0)
        self._lists: tuple[EncodedList, ...] = ()
        self._permutation = np.zeros(0, np.int64)

    def fill(self, position: int, out: EncodedBlock) -> list[tuple[EncodedList, ...]]:
        """Write the rows at ``position`` and after it into all of ``out``; return their list features."""
        done, wanted = 0, out.dense.shape[0]
        runs = []
        while done < wanted:
            window, offset = self._window_at(position + done)
            self._load(window)
            picked = self._permutation[offset : offset + wanted - done]
            here = slice(done, done + picked.size)
            for source, target in zip(fixed_columns(self._window), fixed_columns(out), strict=True):
                # With the default mode="raise", numpy would fill a buffer first; all indices are ours.
                np.take(source, picked, axis=0, out=target[here], mode="clip")
            runs.append(tuple(column.take(picked) for column in self._lists))
            done += picked.size
        return runs

    def numbers(self, position: int, count: int) -> NDArray[np.int64]:
        """Return which rows of the split those at ``position`` and after it are, (count,); reads none."""
        parts = [np.zeros(0, np.int64)]
        while count:
            window, offset = self._window_at(position)
            picked = self._permuted(window)[offset : offset + count]
            blocks = self._blocks_of(window)
            starts = self._blocks[blocks] * self._block_rows
            parts.append(self._stored.at(flat_indices(starts, self._sizes[blocks])[picked]))
            position, count = position + picked.size, count - picked.size
        return np.concatenate(parts)

    def _window_at(self, position: int) -> tuple[int, int]:
        """Return the window that a position lies in, and its place there."""
        window = int(np.searchsorted(self._borders, position, side="right")) - 1
        return window, position - int(self._borders[window])

    def _blocks_of(self, window: int) -> slice:
        return slice(window * self._window_blocks, (window + 1) * self._window_blocks)

    def _permuted(self, window: int) -> NDArray[np.int64]:
        """Return the order in which the rows of a window come."""
        rows = int(self._borders[window + 1] - self._borders[window])
        return np.random.default_rng((*self._entropy, window)).permutation(rows)

    def _load(self, window: int) -> None:
        """Read the blocks of a window and draw the permutation of its rows."""
        if window == self._loaded:
            return
        permutation = self._permuted(window)
        if self._window.dense.shape[0] != permutation.size:
            self._window = _empty_like(self._shards, permutation.size)
        here = self._blocks_of(window)
        done = 0
        runs: list[tuple[EncodedList, ...]] = []
        for block, size in zip(self._blocks[here].tolist(), self._sizes[here].tolist(), strict=True):
            target = _slice(self._window, done, done + size)
            runs += self._stored.fill(block * self._block_rows, target)
            done += size
        self._lists = tuple(join_runs(parts) for parts in zip(*runs, strict=True))
        self._permutation = permutation
        self._loaded = window


def _starts(shards: Sequence[EncodedBlock]) -> list[int]:
    """Return the row of the split at which each shard starts."""
    ends = np.cumsum([shard.dense.shape[0] for shard in shards], dtype=np.int64).tolist()
    return [0, *ends[:-1]]


def _slice(block: EncodedBlock, start: int, stop: int) -> EncodedBlock:
    assert block.labels is not None
    return EncodedBlock(
        dense=block.dense[start:stop],
        ids=block.ids[start:stop],
        labels=block.labels[start:stop],
        groups=None if block.groups is None else block.groups[start:stop],
    )


def _empty_like(shards: Sequence[EncodedBlock], rows: int) -> EncodedBlock:
    """Return room for rows of these shards, without list features."""
    if not shards:
        return EncodedBlock(np.empty((0, 0), np.float32), np.empty((0, 0), np.int32), np.empty(0, np.float32))
    first = shards[0]
    assert first.labels is not None
    return EncodedBlock(
        dense=np.empty((rows, first.dense.shape[1]), np.float32),
        ids=np.empty((rows, first.ids.shape[1]), np.int32),
        labels=np.empty((rows, *first.labels.shape[1:]), np.float32),
        groups=None if first.groups is None else np.empty(rows, np.int64),
    )
