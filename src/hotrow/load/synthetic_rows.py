"""Candidates that are made up: ids by a Zipf law, for a model whose data are not at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hotrow.data.gather import packed_list
from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import RESERVED_IDS, ListFeature, Schema
from hotrow.load.context import Context
from hotrow.load.query import generator_of
from hotrow.load.row_pool import POOL_BYTES, POOL_ROWS, RowPool, rows_that_fit

ZIPF_EXPONENT = 1.05
"""Of the made-up popularity: an assumption, which reports tell by calling the load synthetic."""


_CHUNK = 1 << 13
"""Ids drawn at a time: what is computed on the way stays in the caches."""

_POOL = 8
"""Stream of random numbers."""

_DENSE_SHARE = 0.25
"""Most of the pool's bytes that dense values may have: which they are costs nobody anything."""


class SyntheticRows:
    """Ids by a Zipf law over each table's rows, dense values standard normal.

    Rows are drawn once, when this is constructed, and every query takes consecutive ones (``RowPool``). So
    of a table no more rows are ever read than the pool names, again and again: of the paper's models with
    tables of 2.5 to 4.5 GB, 0.2 to 1 GB of different rows in every pass over the pool, which is 24 queries
    of 270 rows (``dlrm-rmc2``) to 971 (``wide-deep-paper``). Caches must be much smaller than that, or more
    of the tables lies in them than of a stream of ever new rows.

    Features are independent of each other, which those of real rows are not; reports call such a load
    synthetic. An instance of ``QuerySource[EncodedBlock]``.

    Args:
        schema: says the tables' rows.
        seed: decides the rows, and with a query's number which of them it takes.
        context: features that all candidates of a query take from the first.
        pool_bytes: at most so much memory for the rows.

    Raises:
        ConfigError: there is no such feature.
    """

    def __init__(
        self, schema: Schema, *, seed: int, context: Sequence[str] = (), pool_bytes: int = POOL_BYTES
    ) -> None:
        self.schema = schema
        self._seed = seed
        self._context = Context(schema, context)
        N = len(schema.dense)
        dense_bytes = min(4 * N * POOL_ROWS, int(_DENSE_SHARE * pool_bytes))
        rng = np.random.default_rng((seed, _POOL))
        dense = rng.standard_normal((rows_that_fit(4 * N, dense_bytes), N), dtype=np.float32)
        self._dense = RowPool(EncodedBlock(dense, np.empty((len(dense), 0), np.int32), None))
        self._ids = RowPool(_draw(schema, rows_that_fit(_id_bytes(schema), pool_bytes - dense_bytes), rng))

    def content(self, number: int, rows: int) -> EncodedBlock:
        """Return ``rows`` made-up rows, views unless there is a context."""
        rng = generator_of(self._seed, number)
        dense = self._dense.pick(rng, rows).dense
        block = replace(self._ids.pick(rng, rows), dense=dense)
        return self._context.share(block, 0)


def _id_bytes(schema: Schema) -> float:
    """Return the bytes of a row but for its dense values."""
    lists = sum(8 + (8 if feature.weighted else 4) * feature.mean_length for feature in schema.lists)
    return 4 * len(schema.categorical) + lists


def _draw(schema: Schema, rows: int, rng: np.random.Generator) -> EncodedBlock:
    """Return rows of ids alone."""
    ids = np.empty((rows, len(schema.categorical)), dtype=np.int32)
    step = max(_CHUNK // max(ids.shape[1], 1), 1)
    of_table = np.array(schema.rows, dtype=np.float64)
    for start in range(0, rows, step):
        part = ids[start : start + step]
        part[:] = zipf_ids(rng.random(part.shape), of_table)
    lists = tuple(_draw_list(feature, rows, rng) for feature in schema.lists)
    return EncodedBlock(np.empty((rows, 0), np.float32), ids, None, lists)


def _draw_list(feature: ListFeature, rows: int, rng: np.random.Generator) -> EncodedList:
    lengths = np.minimum(rng.poisson(feature.mean_length, rows), feature.max_length)
    ids = np.empty(int(lengths.sum()), dtype=np.int32)
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        part[:] = zipf_ids(rng.random(len(part)), np.float64(feature.rows))
    return packed_list(ids, lengths, np.ones(len(ids), np.float32) if feature.weighted else None)


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
