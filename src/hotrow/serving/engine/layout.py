"""Where the rows of a query and their scores lie in the shared memory.

Shapes: B rows that there is room for, N dense, F categorical and M list features, V listed ids, K tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import EncodedBlock, EncodedList

_LINE = 64
"""Bytes of a cache line, at which arrays begin."""

_INT64, _INT32, _FLOAT32 = np.dtype(np.int64), np.dtype(np.int32), np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model takes and returns for a row.

    Attributes:
        dense: N.
        categorical: F.
        lists: M.
        tasks: K.
    """

    dense: int
    categorical: int
    lists: int
    tasks: int


class Layout:
    """Room for the rows of one query.

    Args:
        shape: of the model.
        rows: most rows, B.
        listed: most ids of all lists together, V.

    Attributes:
        size: bytes of a query, whole cache lines.
    """

    __slots__ = ("_starts", "listed", "rows", "shape", "size")

    def __init__(self, shape: Shape, rows: int, listed: int) -> None:
        self.shape, self.rows, self.listed = shape, rows, listed
        of_rows = rows * shape.lists
        starts, at = [], 0
        for size in (
            8 * (1 + shape.lists),
            *(4 * rows * shape.dense, 4 * rows * shape.categorical, 4 * of_rows, 4 * of_rows, 4 * listed),
            4 * rows * shape.tasks,
        ):
            starts.append(at)
            at += -(-size // _LINE) * _LINE
        self._starts, self.size = starts, at

    def at(self, memory: NDArray[np.uint8], start: int) -> Rows:
        """Return the query that begins at byte ``start`` of ``memory``."""
        shape, B = self.shape, self.rows
        counts, dense, ids, starts, lengths, listed, _ = self._starts
        return Rows(
            np.ndarray((1 + shape.lists,), _INT64, memory, start + counts),
            np.ndarray((B, shape.dense), _FLOAT32, memory, start + dense),
            np.ndarray((B, shape.categorical), _INT32, memory, start + ids),
            np.ndarray((shape.lists, B), _INT32, memory, start + starts),
            np.ndarray((shape.lists, B), _INT32, memory, start + lengths),
            np.ndarray((self.listed,), _INT32, memory, start + listed),
            self.scores(memory, start),
        )

    def scores(self, memory: NDArray[np.uint8], start: int) -> NDArray[np.float32]:
        """Return the scores alone, (B, K), of the query that begins at byte ``start`` of ``memory``."""
        return np.ndarray((self.rows, self.shape.tasks), _FLOAT32, memory, start + self._starts[-1])


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a query in shared memory.

    Attributes:
        counts: (1 + M,) int64: rows that there are, and ids of each list feature.
        dense: (B, N) float32.
        ids: (B, F) int32.
        starts: (M, B) int32, where each row's list begins among the ids of its feature.
        lengths: (M, B) int32.
        listed: (V,) int32, ids of the first list feature, then of the second, ...
        scores: (B, K) float32, which the workers write.
    """

    counts: NDArray[np.int64]
    dense: NDArray[np.float32]
    ids: NDArray[np.int32]
    starts: NDArray[np.int32]
    lengths: NDArray[np.int32]
    listed: NDArray[np.int32]
    scores: NDArray[np.float32]

    def write(self, block: EncodedBlock) -> None:
        """Write rows, for which there must be room."""
        count = len(block)
        self.counts[0] = count
        self.dense[:count] = block.dense
        self.ids[:count] = block.ids
        done = 0
        for number, part in enumerate(block.lists):
            self.counts[1 + number] = len(part.ids)
            self.starts[number, :count] = part.starts
            self.lengths[number, :count] = part.lengths
            self.listed[done : done + len(part.ids)] = part.ids
            done += len(part.ids)

    def read(self, start: int, stop: int) -> EncodedBlock:
        """Return some of the rows, as views."""
        rows = slice(start, stop)
        if not len(self.starts):
            return EncodedBlock(self.dense[rows], self.ids[rows], None)
        ends = np.cumsum(self.counts[1:])
        lists = tuple(
            EncodedList(self.listed[end - count : end], self.starts[m, rows], self.lengths[m, rows])
            for m, (end, count) in enumerate(zip(ends.tolist(), self.counts[1:].tolist(), strict=True))
        )
        return EncodedBlock(self.dense[rows], self.ids[rows], None, lists)
