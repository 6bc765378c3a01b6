"""Where the rows of a query and their scores lie in the shared memory.

Shapes: B rows that there is room for, N dense, F categorical and M list features, V listed ids, K tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hotrow.data.raw import EncodedBlock, EncodedList

_LINE = 64
"""Bytes of a cache line, at which arrays begin."""


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


@dataclass(frozen=True, slots=True)
class Layout:
    """Room for the rows of one query.

    Attributes:
        shape: of the model.
        rows: most rows, B.
        listed: most ids of all lists together, V.
    """

    shape: Shape
    rows: int
    listed: int

    @property
    def size(self) -> int:
        """Bytes of a query."""
        return sum(_whole_lines(np.dtype(dtype).itemsize * _count(shape)) for dtype, shape in self._arrays())

    def at(self, memory: NDArray[np.uint8], start: int) -> Rows:
        """Return the query that begins at byte ``start`` of ``memory``."""
        found: list[NDArray[Any]] = []
        for dtype, shape in self._arrays():
            found.append(np.ndarray(shape, dtype, memory, start))
            start += _whole_lines(found[-1].nbytes)
        return Rows(*found)

    def _arrays(self) -> list[tuple[DTypeLike, tuple[int, ...]]]:
        shape = self.shape
        return [
            (np.int64, (1 + shape.lists,)),
            (np.float32, (self.rows, shape.dense)),
            (np.int32, (self.rows, shape.categorical)),
            (np.int32, (shape.lists, self.rows)),
            (np.int32, (shape.lists, self.rows)),
            (np.int32, (self.listed,)),
            (np.float32, (self.rows, shape.tasks)),
        ]


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
        ends = np.cumsum(self.counts[1:])
        lists = tuple(
            EncodedList(self.listed[end - count : end], self.starts[m, rows], self.lengths[m, rows])
            for m, (end, count) in enumerate(zip(ends.tolist(), self.counts[1:].tolist(), strict=True))
        )
        return EncodedBlock(self.dense[rows], self.ids[rows], None, lists)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _whole_lines(size: int) -> int:
    return -(-size // _LINE) * _LINE
