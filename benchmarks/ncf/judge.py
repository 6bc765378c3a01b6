"""HR@10 and NDCG@10 of scores for the rows of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.dataset import Dataset
from hotrow.metrics import Evaluation, RankingAccumulator


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """How well a user's one positive is ranked, a mean over users.

    Attributes:
        hr: hit rate at 10.
        ndcg: normalised discounted cumulative gain at 10.
    """

    hr: float
    ndcg: float


@dataclass(frozen=True)
class Candidates:
    """The rows of a split.

    Attributes:
        users: (B,) rows of the users' table.
        items: (B,) rows of the items' table.
        labels: (B,) 1 for what the user chose.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    labels: NDArray[np.float32]

    def judge(self, scores_B: NDArray[Any]) -> Ranking:
        """Return how the scores rank each user's candidates."""
        ranking = RankingAccumulator()
        ranking.update(self.users, self.labels, scores_B)
        top = ranking.result(at=(10,)).at[0]
        assert top.hr is not None
        assert top.ndcg is not None
        return Ranking(hr=top.hr, ndcg=top.ndcg)


def read_split(dataset: Dataset, split: str) -> Candidates:
    """Return the rows of a split as they are stored."""
    names = [feature.name for feature in dataset.schema.categorical]
    shards = dataset.shards(split)
    ids = np.concatenate([shard.ids for shard in shards])
    labels = np.concatenate([shard.labels for shard in shards if shard.labels is not None])
    return Candidates(ids[:, names.index("user")], ids[:, names.index("item")], labels)


def ranking_of(metrics: Evaluation | None) -> Ranking:
    """Return what training reported of a split."""
    assert metrics is not None
    assert metrics.ranking is not None
    hr, ndcg = metrics.ranking["hr@10"], metrics.ranking["ndcg@10"]
    assert hr is not None
    assert ndcg is not None
    return Ranking(hr=hr, ndcg=ndcg)
