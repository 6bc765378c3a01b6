"""Batches of tensors from the memory-mapped shards of a prepared data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from hotrow.data._intact import require_intact
from hotrow.data._order import Order, Sequential, Shuffled
from hotrow.data._prefetch import Prefetch
from hotrow.data.dataset import Dataset
from hotrow.data.jagged import to_jagged
from hotrow.data.raw import EncodedBlock
from hotrow.errors import ConfigError
from hotrow.types import Batch


@dataclass(frozen=True, kw_only=True)
class LoaderConfig:
    """How rows are put into batches.

    Attributes:
        batch_size: B, rows of a batch.
        shuffle: whether rows come in an order that depends on the seed and the epoch, or as stored.
        seed: of the order; unused without ``shuffle``.
        drop_last: whether the rows that fill no whole batch at the end of an epoch are left out.
            They are kept by default, so that every row is visited exactly once an epoch.
        max_rows: use only the first rows of the split; None uses all.
        block_rows: rows that are read together when shuffling.
        window_blocks: blocks whose rows are mixed when shuffling; a window is held in memory.
        prefetch: finished batches that may wait for the consumer.
    """

    batch_size: int = 2048
    shuffle: bool = False
    seed: int = 0
    drop_last: bool = False
    max_rows: int | None = None
    block_rows: int = 256
    window_blocks: int = 512
    prefetch: int = 4

    def __post_init__(self) -> None:
        for name in ("batch_size", "block_rows", "window_blocks", "prefetch"):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "at least 1")
        if self.seed < 0:
            raise ConfigError("seed", self.seed, "at least 0")
        if self.max_rows is not None and self.max_rows < 1:
            raise ConfigError("max_rows", self.max_rows, "at least 1, or null for all")


class Expansion(Protocol):
    """Makes more rows of a batch, e.g. ``hotrow.data.sampling.NegativeSampling``."""

    @property
    def factor(self) -> int:
        """Rows that become of one."""

    def __call__(self, batch: Batch, *, epoch: int, number: int) -> Batch:
        """Return the rows of a batch and what is added to them: a function of its arguments alone."""

    def origins(self, rows: int) -> NDArray[np.int64]:
        """Return of which of a batch's rows each row that becomes of them is made."""


class Loader:
    """Iterates over the batches of one split, epoch after epoch.

    The batches of an epoch are a pure function of the rows, the configuration and the number of
    the epoch, so (epoch, next batch) is the loader's whole state and resuming costs nothing::

        with loader.epoch(3, start=17) as batches:
            for batch in batches: ...

    Args:
        dataset: a prepared data set.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        config: batch size and order.
        selection: numbers of the rows of the split that take part, ascending; None for all.
        expansion: adds rows to every batch, which is then ``expansion.factor`` times as large; in the
            background thread. ``rows`` and ``config.batch_size`` count the rows that are stored.

    Attributes:
        labels: names of the K labels, in the order of the batches' columns.

    Raises:
        ConfigError: there is no such split.
        DataError: a shard is missing or cut short.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        config: LoaderConfig | None = None,
        *,
        selection: NDArray[np.int64] | None = None,
        expansion: Expansion | None = None,
    ) -> None:
        self.config = config or LoaderConfig()
        self._expansion = expansion
        self._selection = selection
        self._shards = dataset.shards(split)
        self._schema = dataset.schema
        self._place = dataset.path / split
        self.labels = dataset.schema.labels
        available = dataset.rows(split) if selection is None else len(selection)
        self.available = min(available, self.config.max_rows or available)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(self.available, self.config.batch_size)
        return whole if self.config.drop_last or not rest else whole + 1

    @property
    def rows(self) -> int:
        """Rows visited in an epoch."""
        if self.config.drop_last:
            return self.batches * self.config.batch_size
        return self.available

    @property
    def factor(self) -> int:
        """Rows of a batch for each row of the split."""
        return 1 if self._expansion is None else self._expansion.factor

    def epoch(self, epoch: int = 0, *, start: int = 0) -> Prefetch[Batch]:
        """Return the batches of an epoch from batch ``start`` on, made in a background thread.

        Args:
            epoch: which order, counted from 0.
            start: batches to leave out, e.g. those that were done before an interruption.

        Returns:
            An iterator to be used in a ``with`` statement, which ends the thread.
        """
        return Prefetch(self._produce(epoch, start), depth=self.config.prefetch)

    def rows_of(self, epoch: int, number: int) -> NDArray[np.int64]:
        """Return which rows of the split a batch is made of, as many as it has, without reading any.

        Args:
            epoch: counted from 0.
            number: of the batch in the epoch, counted from 0.
        """
        start = number * self.config.batch_size
        rows = self._order(epoch).numbers(start, min(self.config.batch_size, self.rows - start))
        return rows if self._expansion is None else rows[self._expansion.origins(len(rows))]

    def _produce(self, epoch: int, start: int) -> Iterator[Batch]:
        order = self._order(epoch)
        size = self.config.batch_size
        for position in range(start * size, self.rows, size):
            batch, block = self._empty(min(size, self.rows - position))
            runs = order.fill(position, block)
            if self._schema.lists:
                batch = replace(batch, lists=to_jagged(runs))
            require_intact(batch, self._schema, self._place)
            if self._expansion is not None:
                batch = self._expansion(batch, epoch=epoch, number=position // size)
            yield batch

    def _empty(self, rows: int) -> tuple[Batch, EncodedBlock]:
        """Return a batch to be filled, without list features, and the same as arrays."""
        # torch.empty aligns to 64 bytes. Matrix products may round differently at another
        # alignment, so this is part of "the same seed gives the same bits".
        schema = self._schema
        tasks = len(schema.labels)
        dense_BN = torch.empty((rows, len(schema.dense)), dtype=torch.float32)
        ids_BF = torch.empty((rows, len(schema.categorical)), dtype=torch.int32)
        labels = torch.empty(rows if tasks == 1 else (rows, tasks), dtype=torch.float32)
        groups_B = torch.empty(rows, dtype=torch.int64) if schema.group else None
        block = EncodedBlock(
            dense=dense_BN.numpy(),
            ids=ids_BF.numpy(),
            labels=labels.numpy(),
            groups=None if groups_B is None else groups_B.numpy(),
        )
        return Batch(dense=dense_BN, ids=ids_BF, labels=labels, groups=groups_B), block

    def _order(self, epoch: int) -> Order:
        if not self.config.shuffle:
            return Sequential(self._shards, self._selection)
        return Shuffled(
            self._shards,
            rows=self.available,
            block_rows=self.config.block_rows,
            window_blocks=self.config.window_blocks,
            seed=self.config.seed,
            epoch=epoch,
            selection=self._selection,
        )
