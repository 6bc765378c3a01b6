"""Candidates drawn from a split of a prepared data set: the real popularity of ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hotrow.data.dataset import Dataset
from hotrow.data.gather import RowGather
from hotrow.data.raw import EncodedBlock
from hotrow.errors import DataError
from hotrow.load.context import Context
from hotrow.load.query import draw_rows, generator_of


class PreparedRows:
    """Different random rows for each query; an instance of ``QuerySource[EncodedBlock]``.

    Args:
        dataset: the prepared data set.
        split: its split.
        seed: with a query's number, decides its rows.
        context: features that all candidates of a query take from the first: the user's.

    Attributes:
        rows: of the split.

    Raises:
        ConfigError: there is no such split or feature.
        DataError: the split has no rows, or a shard cannot be read.
    """

    def __init__(self, dataset: Dataset, split: str, *, seed: int, context: Sequence[str] = ()) -> None:
        self.schema = dataset.schema
        self.rows = dataset.rows(split)
        if not self.rows:
            raise DataError(dataset.path / split, "has no rows, expected candidates to draw")
        self._gather = RowGather(dataset.shards(split))
        self._context = Context(dataset.schema, context)
        self._seed = seed

    def content(self, number: int, rows: int) -> EncodedBlock:
        """Return ``rows`` different rows; of a smaller split, each about as often as any other."""
        picked = draw_rows(generator_of(self._seed, number), self.rows, rows)
        # Candidates have no order, and ascending rows are read in the order in which they lie.
        return self._context.share(self._gather.take(np.sort(picked)), int(picked[0]) % rows)
