"""Candidates that are made up: ids by a Zipf law, for a model whose data are not at hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hotrow.data.gather import packed_list
from hotrow.data.raw import EncodedBlock
from hotrow.data.schema import RESERVED_IDS, Schema
from hotrow.load.context import Context
from hotrow.load.query import generator_of

ZIPF_EXPONENT = 1.05
"""Of the made-up popularity: an assumption, which reports tell by calling the load synthetic."""


class SyntheticRows:
    """Ids by a Zipf law over each table's rows, dense values standard normal.

    Features are independent of each other, which those of real rows are not; reports call such a load
    synthetic. An instance of ``QuerySource[EncodedBlock]``.

    Args:
        schema: says the tables' rows.
        seed: with a query's number, decides its contents.
        context: features that all candidates of a query take from the first.

    Raises:
        ConfigError: there is no such feature.
    """

    def __init__(self, schema: Schema, *, seed: int, context: Sequence[str] = ()) -> None:
        self.schema = schema
        self._seed = seed
        self._context = Context(schema, context)
        self._rows_F = np.array(schema.rows, dtype=np.float64)

    def content(self, number: int, rows: int) -> EncodedBlock:
        """Return ``rows`` made-up rows."""
        rng = generator_of(self._seed, number)
        dense = rng.standard_normal((rows, len(self.schema.dense)), dtype=np.float32)
        ids = zipf_ids(rng.random((rows, len(self._rows_F))), self._rows_F)
        lists = []
        for feature in self.schema.lists:
            lengths = np.minimum(rng.poisson(feature.mean_length, rows), feature.max_length)
            drawn = zipf_ids(rng.random(int(lengths.sum())), np.float64(feature.rows))
            weights = np.ones(len(drawn), dtype=np.float32) if feature.weighted else None
            lists.append(packed_list(drawn, lengths, weights))
        return self._context.share(EncodedBlock(dense, ids, None, tuple(lists)), 0)


def zipf_ids(
    u: NDArray[np.float64], rows: NDArray[np.float64] | np.float64, *, exponent: float = ZIPF_EXPONENT
) -> NDArray[np.int32]:
    """Return ids whose rank r has a share of about r ** -exponent.

    By inverting the integral of the density, in closed form: a draw costs one power whatever the table's
    size. The two reserved ids are never drawn, since vocabularies are in order of frequency after them.

    Args:
        u: uniform in [0, 1).
        rows: of each id's table, of a shape that broadcasts against ``u``; at least 2.
        exponent: more than 0, not 1.
    """
    power = 1 - exponent
    last = np.maximum(rows - RESERVED_IDS, 1) + 1
    rank = (1 + u * (last**power - 1)) ** (1 / power)
    ids = np.minimum(np.floor(rank), last - 1) + (RESERVED_IDS - 1)
    within: NDArray[np.int32] = np.minimum(ids, rows - 1).astype(np.int32)
    return within
