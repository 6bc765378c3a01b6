"""Candidates drawn from a split of a prepared data set: the real popularity of ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hotrow.data.dataset import Dataset
from hotrow.data.gather import RowGather
from hotrow.data.raw import EncodedBlock
from hotrow.errors import DataError
from hotrow.load.context import Context
from hotrow.load.query import generator_of
from hotrow.load.row_pool import POOL_BYTES, POOL_ROWS, RowPool, rows_that_fit

_POOL = 9
"""Stream of random numbers."""

_SAMPLE = 4096
"""Rows by which the bytes of one are known."""


class PreparedRows:
    """Different random rows for each query; an instance of ``QuerySource[EncodedBlock]``.

    Random rows of the split are gathered once, when this is constructed, in random order, and every query
    takes consecutive ones (``RowPool``): as many different rows by the same law. Of a split that does not
    fit (128 MiB, 262,144 rows) the rest is never used.

    Args:
        dataset: the prepared data set.
        split: its split.
        seed: decides the rows, and with a query's number which of them it takes.
        context: features that all candidates of a query take from one of them: the user's.
        pool_bytes: at most so much memory for the rows.

    Attributes:
        rows: of the split.

    Raises:
        ConfigError: there is no such split or feature.
        DataError: the split has no rows, or a shard cannot be read.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        *,
        seed: int,
        context: Sequence[str] = (),
        pool_bytes: int = POOL_BYTES,
    ) -> None:
        self.schema = dataset.schema
        self.rows = dataset.rows(split)
        if not self.rows:
            raise DataError(dataset.path / split, "has no rows, expected candidates to draw")
        self._context = Context(dataset.schema, context)
        self._seed = seed
        self._pool = RowPool(_draw(RowGather(dataset.shards(split)), pool_bytes, seed))

    def content(self, number: int, rows: int) -> EncodedBlock:
        """Return ``rows`` different rows, views unless there is a context; of fewer, some more than once."""
        rng = generator_of(self._seed, number)
        return self._context.share(self._pool.pick(rng, rows), int(rng.integers(rows)))


def _draw(split: RowGather, pool_bytes: int, seed: int) -> EncodedBlock:
    """Return different random rows in random order, as many as fit."""
    rng = np.random.default_rng((seed, _POOL))
    picked = rng.choice(split.rows, min(split.rows, POOL_ROWS), replace=False)
    sample = split.take(np.sort(picked[:_SAMPLE]))
    count = rows_that_fit(_bytes(sample) / len(sample), pool_bytes)
    # Ascending rows are read in the order in which they lie.
    ordered = RowGather([split.take(np.sort(picked[:count]))])
    return ordered.take(rng.permutation(ordered.rows))


def _bytes(block: EncodedBlock) -> int:
    """Return what a pool of these rows needs."""
    listed = sum(
        part.ids.nbytes + (0 if part.weights is None else part.weights.nbytes) + 8 * len(block)
        for part in block.lists
    )
    return block.dense.nbytes + block.ids.nbytes + listed
