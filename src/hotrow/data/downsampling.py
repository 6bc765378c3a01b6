"""Leaving out most negatives of a training split, where positives are rare.

X. He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook" (ADKDD 2014, section 6). Which
negatives are kept is a pure function of the seed and of each row's number: every epoch has the same ones. A
model that learns from them sees odds that are too high by 1 / share; ``hotrow.models.Correction`` puts its
probabilities right.

Shapes: R rows that are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotrow.data.dataset import Dataset
from hotrow.errors import ConfigError

_STREAM = 0x6B65_6570
"""Keeps the random numbers apart from those of the rows' order, which have the same seed."""

_FIELD = "sampling.keep_negatives"


@dataclass(frozen=True, eq=False)
class KeptRows:
    """What is left of a split.

    Attributes:
        rows: (R,) int64, the numbers of the rows that are kept, ascending.
        kept: negatives among them.
        negatives: of the whole split.
    """

    rows: NDArray[np.int64]
    kept: int
    negatives: int

    @property
    def share(self) -> float:
        """Share of the negatives that was kept: what was drawn, not what was asked for."""
        return self.kept / self.negatives


def keep_negatives(dataset: Dataset, share: float, *, label: str, seed: int) -> KeptRows:
    """Choose which rows of the training split to learn from: all positives, and each negative by chance.

    Args:
        dataset: whose training split it is.
        share: probability with which a negative is kept, above 0 and at most 1.
        label: by which rows are negatives.
        seed: of what is drawn.

    Raises:
        ConfigError: the split has no negatives, or none of them is kept.
        DataError: a shard is missing or cut short.
    """
    column = dataset.schema.labels.index(label)
    rng = np.random.default_rng((seed, _STREAM))
    kept: list[NDArray[np.int64]] = []
    first = negatives = positives = 0
    for shard in dataset.shards("train"):
        is_negative = shard.label(column) == 0
        is_kept = rng.random(len(shard)) < share
        kept.append(np.flatnonzero(~is_negative | is_kept) + first)
        first += len(shard)
        negatives += int(is_negative.sum())
        positives += int((~is_negative).sum())
    rows = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    if not negatives:
        raise ConfigError(_FIELD, share, f"1: the training split has no row whose {label} is 0")
    if len(rows) == positives:
        raise ConfigError(_FIELD, share, f"a share that leaves some of the {negatives:,} negatives")
    return KeptRows(rows, len(rows) - positives, negatives)
