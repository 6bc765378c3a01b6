"""Rows that were made once, of which every query takes a window: contents that cost next to nothing."""

from __future__ import annotations

import itertools

import numpy as np

from hotrow.data.gather import RowGather
from hotrow.data.raw import EncodedBlock, EncodedList

POOL_BYTES = 128 * 1024**2
"""Most bytes of a pool, in every process that makes queries."""

POOL_ROWS = 1 << 18
"""Most rows of one: a thousand queries of 256."""


def rows_that_fit(row_bytes: float, pool_bytes: int = POOL_BYTES) -> int:
    """Return the rows of a pool."""
    return int(min(max(pool_bytes // max(row_bytes, 1), 1), POOL_ROWS))


class RowPool:
    """Windows of consecutive rows, as views that cannot be written to.

    A window begins anywhere, so two queries of n rows out of R overlap with a chance of about 2n / R.

    Args:
        block: the rows, their lists one after another. What it holds is kept, and made read-only.

    Attributes:
        rows: R.
    """

    def __init__(self, block: EncodedBlock) -> None:
        M, self.rows = len(block.lists), len(block)
        self._dense, self._ids = block.dense, block.ids
        self._listed = [(part.ids, part.weights) for part in block.lists]
        self._lengths_MR = np.array([part.lengths for part in block.lists], np.int32).reshape(M, self.rows)
        self._ends_MR = np.zeros((M, self.rows + 1), np.int32)
        np.cumsum(self._lengths_MR, axis=1, out=self._ends_MR[:, 1:])
        for array in (self._dense, self._ids, *itertools.chain(*self._listed)):
            if array is not None:
                array.flags.writeable = False

    def pick(self, rng: np.random.Generator, rows: int) -> EncodedBlock:
        """Return a window at a random place."""
        return self.window(int(rng.integers(max(self.rows - rows, 0) + 1)), rows)

    def window(self, start: int, rows: int) -> EncodedBlock:
        """Return ``rows`` rows from ``start`` on; where the pool ends, copies from its beginning on."""
        if start + rows > self.rows:
            whole = RowGather([self.window(0, self.rows)])
            return whole.take(np.arange(start, start + rows) % self.rows)
        here = slice(start, start + rows)
        first_M, last_M = self._ends_MR[:, start], self._ends_MR[:, here.stop]
        starts_MB = self._ends_MR[:, here] - first_M[:, None]
        parts = zip(
            self._listed,
            first_M.tolist(),
            last_M.tolist(),
            starts_MB,
            self._lengths_MR[:, here],
            strict=True,
        )
        lists = tuple(
            EncodedList(ids[first:last], starts, lengths, None if weights is None else weights[first:last])
            for (ids, weights), first, last, starts, lengths in parts
        )
        return EncodedBlock(self._dense[here], self._ids[here], None, lists)
