"""Negative sampling while training: beside each row, rows of items that its user did not choose.

A log of choices (watched, bought, clicked) has no rows of what was not chosen. For each row of such a
log, ``negatives`` rows are added, anew every epoch, that differ from it in the item alone, which is drawn
uniformly from those that its user has in no row of the training split (X. He et al., "Neural Collaborative
Filtering", WWW 2017, arXiv 1708.05031, section 3.1.1).

Shapes: B rows of a batch before negatives are added, F categorical features, M list features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotrow.data._dependence import columns_of_item
from hotrow.data._intact import require_ids
from hotrow.data._slices import flat_indices
from hotrow.data._unchosen import UnchosenItems
from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.raw import EncodedBlock
from hotrow.data.schema import RESERVED_IDS, Schema
from hotrow.errors import ConfigError, DataError
from hotrow.types import Batch, Jagged

_STREAM = 0x6E65_6761
"""Keeps the random numbers apart from those of the rows' order, which have the same seed and epoch."""


MAX_NEGATIVES = 10_000
"""Of each row: all of them are in memory at once, with what the row is beside."""


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Negatives of the training split: more of them where there are none, fewer where there are many.

    Attributes:
        negatives: rows drawn for each row of the training split, which must all be positive; 0 for none.
        user: the categorical feature that says who chose.
        item: the categorical feature that says what was chosen.
        keep_negatives: share of the training split's negatives that is learnt from, see
            ``hotrow.data.downsampling``; 1 for all. Probabilities stay those of the data.
    """

    negatives: int = 0
    user: str = "user"
    item: str = "item"
    keep_negatives: float = 1.0

    def __post_init__(self) -> None:
        if self.negatives < 0:
            raise ConfigError("sampling.negatives", self.negatives, "at least 0")
        if self.negatives > MAX_NEGATIVES:
            raise ConfigError("sampling.negatives", self.negatives, f"at most {MAX_NEGATIVES}")
        if not 0 < self.keep_negatives <= 1:
            raise ConfigError("sampling.keep_negatives", self.keep_negatives, "above 0, at most 1")
        if self.negatives and self.keep_negatives < 1:
            raise ConfigError("sampling.keep_negatives", self.keep_negatives, "1 where negatives are drawn")


class NegativeSampling:
    """Adds negatives to the batches of a training split.

    What is drawn is a pure function of the seed, the epoch and the number of the batch.

    Args:
        dataset: its training split has one label, which is 1 throughout.
        config: with ``negatives`` above 0.
        seed: of what is drawn.

    Attributes:
        factor: rows that become of one.

    Raises:
        ConfigError: there is no such feature; the training split has negatives of its own, or a column
            besides ``item`` that depends on the item, so that it would be wrong beside another item.
        DataError: a user has chosen every item there is, or a shard was altered.
    """

    def __init__(self, dataset: Dataset, config: SamplingConfig, *, seed: int) -> None:
        shards = dataset.shards("train")
        self._user = _column(dataset.schema, "user", config.user)
        self._item = _column(dataset.schema, "item", config.item)
        if self._user == self._item:
            raise ConfigError("sampling.item", config.item, "another feature than sampling.user")
        _require_positives(shards, dataset, config)
        ids_RF = np.concatenate([shard.ids for shard in shards])
        require_ids(ids_RF, dataset.schema, dataset.path / "train")
        self._unchosen = UnchosenItems(ids_RF[:, self._user], ids_RF[:, self._item], least=RESERVED_IDS)
        full = self._unchosen.without_choice()
        if full is not None:
            raise DataError(
                dataset.path / SCHEMA_FILE,
                f"the {config.user} of row {full} has all {self._unchosen.items.size} items in the training "
                "split, expected one to be left to draw",
                column=config.item,
            )
        _require_own_columns(shards, dataset.schema, config, self._user, self._item)
        self._negatives = config.negatives
        self._seed = seed

    @property
    def factor(self) -> int:
        """Rows that become of one."""
        return 1 + self._negatives

    def __call__(self, batch: Batch, *, epoch: int, number: int) -> Batch:
        """Return the batch with its B * negatives drawn rows after its own.

        Args:
            batch: B rows.
            epoch: counted from 0.
            number: of the batch in the epoch.
        """
        B = len(batch)
        ids_BF = self._grown(batch.ids)
        drawn = ids_BF.numpy()[B:]
        rng = np.random.default_rng((self._seed, epoch, number, _STREAM))
        drawn[:, self._item] = self._unchosen.draw(drawn[:, self._user], rng)
        assert batch.labels is not None
        labels_B = torch.zeros(len(ids_BF), dtype=torch.float32)
        labels_B[:B] = batch.labels
        return Batch(
            dense=self._grown(batch.dense),
            ids=ids_BF,
            labels=labels_B,
            lists=None if batch.lists is None else self._grown_lists(batch.lists, B),
            groups=None if batch.groups is None else self._grown(batch.groups),
        )

    def origins(self, rows: int) -> NDArray[np.int64]:
        """Return of which of B rows each row of a batch is made: themselves, then each for its negatives."""
        return np.concatenate([np.arange(rows), np.repeat(np.arange(rows), self._negatives)])

    def _grown(self, rows: Tensor) -> Tensor:
        """Return the rows, then each of them ``negatives`` times."""
        B, shape = rows.shape[0], rows.shape[1:]
        grown = torch.empty((B * self.factor, *shape), dtype=rows.dtype)
        target, source = grown.numpy(), rows.numpy()
        target[:B] = source
        target[B:].reshape(B, self._negatives, *shape)[:] = source[:, None]
        return grown

    def _grown_lists(self, lists: Jagged, B: int) -> Jagged:
        """Return the bags of each feature, then each of them ``negatives`` times."""
        offsets = lists.offsets.numpy()
        one = self.origins(B)
        bags = (np.arange(0, offsets.size - 1, B)[:, None] + one).reshape(-1)
        lengths = np.diff(offsets)[bags]
        index = torch.from_numpy(flat_indices(offsets[bags], lengths))
        grown = torch.zeros(bags.size + 1, dtype=torch.int64)
        np.cumsum(lengths, out=grown.numpy()[1:])
        weights = None if lists.weights is None else lists.weights[index]
        return Jagged(lists.ids[index], grown, weights)


def require_negatives(dataset: Dataset, config: SamplingConfig) -> None:
    """Check that a log of choices is not learnt from as though everything were chosen.

    Raises:
        ConfigError: every row of the training split is a positive, and no negatives are drawn.
    """
    if config.negatives or dataset.schema.more_labels:
        return
    if all((_labels(shard) == 1).all() for shard in dataset.shards("train")):
        expected = f"at least 1: `{dataset.schema.label}` is 1 in every row of the training split"
        raise ConfigError("sampling.negatives", config.negatives, expected)


def _column(schema: Schema, field: str, name: str) -> int:
    names = [feature.name for feature in schema.categorical]
    if name not in names:
        raise ConfigError(f"sampling.{field}", name, f"one of the data set's features {', '.join(names)}")
    return names.index(name)


def _require_positives(shards: Sequence[EncodedBlock], dataset: Dataset, config: SamplingConfig) -> None:
    expected = "0 for this data set"
    if dataset.schema.more_labels:
        raise ConfigError("sampling.negatives", config.negatives, f"{expected}, which has several labels")
    negatives = sum(int((_labels(shard) != 1).sum()) for shard in shards)
    if negatives:
        raise ConfigError(
            "sampling.negatives",
            config.negatives,
            f"{expected}: its training split has {negatives:,} negatives of its own",
        )


def _labels(shard: EncodedBlock) -> NDArray[Any]:
    assert shard.labels is not None
    return shard.labels


def _require_own_columns(
    shards: Sequence[EncodedBlock], schema: Schema, config: SamplingConfig, user: int, item: int
) -> None:
    names = columns_of_item(shards, schema, user=user, item=item)
    if names:
        raise ConfigError(
            "sampling.item",
            config.item,
            f"data whose other features do not depend on it: {', '.join(names)} would be wrong beside "
            "another item",
        )
