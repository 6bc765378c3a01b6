"""How well rows are ranked within their groups: of a user or a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.metrics.auc import check_labels
from hotrow.metrics.finite import diverged
from hotrow.metrics.group_values import group_aucs, hit_rates, ndcgs, recalls, reciprocal_ranks
from hotrow.metrics.ties import Floats, TieClasses, tie_classes

DEFAULT_AT = (10,)
"""Lengths of the top lists that are judged if nothing else is asked for."""


@dataclass(frozen=True, kw_only=True)
class TopMetrics:
    """Metrics of the first k rows of each group, a mean over the groups that have a positive.

    Attributes:
        k: how many.
        hr: hit rate: a positive is among them.
        ndcg: normalised discounted cumulative gain.
        recall: share of the group's positives that is among them.
        coverage: share of the distinct items that were candidates anywhere which is among the first k
            of any group; None where items are not known.
    """

    k: int
    hr: float | None
    ndcg: float | None
    recall: float | None
    coverage: float | None = None


@dataclass(frozen=True, kw_only=True)
class RankingMetrics:
    """Metrics of rankings; what the rows do not define is None.

    Attributes:
        groups: groups judged.
        groups_with_positive: those with a positive, over which ``mrr`` and ``at`` are means.
        groups_with_both: those with both classes, over which ``gauc`` and ``gauc_mean`` are means.
        mrr: mean reciprocal place of the first positive.
        gauc: AUC within a group, weighted by its rows (G. Zhou et al., "Deep Interest Network for
            Click-Through Rate Prediction", KDD 2018, arXiv 1706.06978).
        gauc_mean: likewise, every group alike.
        at: metrics of top lists.
    """

    groups: int
    groups_with_positive: int
    groups_with_both: int
    mrr: float | None
    gauc: float | None
    gauc_mean: float | None
    at: tuple[TopMetrics, ...]

    def figures(self) -> dict[str, int | float | None]:
        """Return all figures by name, ``groups``, ``mrr``, ..., ``hr@10``, ``ndcg@10``, ...."""
        names = ("groups", "groups_with_positive", "groups_with_both", "mrr", "gauc", "gauc_mean")
        found = {name: getattr(self, name) for name in names}
        for top in self.at:
            found |= {f"{name}@{top.k}": getattr(top, name) for name in ("hr", "ndcg", "recall")}
            if top.coverage is not None:
                found[f"coverage@{top.k}"] = top.coverage
        return found


@dataclass(frozen=True, eq=False)
class GroupValues:
    """Metrics of each group by itself, for confidence intervals and comparisons of models.

    Attributes:
        groups: (G,) int64, the groups' ids, rising: the same for every model of the same rows.
        rows: (G,) int64.
        values: by name (``hr@10``, ..., ``mrr``, ``auc``): (G,) float64, NaN where it is undefined.
    """

    groups: NDArray[np.int64]
    rows: NDArray[np.int64]
    values: dict[str, Floats]


class RankingAccumulator:
    """Ranking metrics over any number of batches.

    A group's rows may come in any order, over any number of batches, so all rows are kept: 13 bytes each,
    17 with items, and about 120 more for each while the result is made.

    Ties are broken by expectation, see ``hotrow.metrics.ties``.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._parts: list[tuple[NDArray[Any], ...]] = []

    def update(
        self,
        groups_B: NDArray[Any],
        labels_B: NDArray[Any],
        logits_B: NDArray[Any],
        items_B: NDArray[Any] | None = None,
    ) -> None:
        """Add a batch.

        Args:
            groups_B: (B,) integers.
            labels_B: (B,) of 0 and 1.
            logits_B: (B,) real; only their order matters. They are kept as they are, so that what was
                no tie becomes none.
            items_B: (B,) integers, the item of each row, in all batches or in none. An item occurs in a
                group at most once.

        Raises:
            DivergedError: a logit is NaN or infinite.
            ValueError: shapes differ, or a label is neither 0 nor 1.
        """
        positive_B = check_labels(np.asarray(labels_B))
        logits_B = np.array(logits_B)  # copied: the caller may use the memory again
        items = () if items_B is None else (np.array(items_B),)
        for name, array in (
            ("groups", groups_B),
            ("logits", logits_B),
            *zip(("items",), items, strict=False),
        ):
            if array.shape != positive_B.shape:
                raise ValueError(
                    f"labels and {name} differ in shape: {positive_B.shape} against {array.shape}"
                )
        if not np.isfinite(logits_B).all():
            raise diverged(logits_B, self._rows)
        if self._parts and len(self._parts[0]) != 3 + len(items):
            raise ValueError("items: got some batches with and some without, expected all or none")
        self._rows += positive_B.size
        self._parts.append((np.array(groups_B, dtype=np.int64), positive_B, logits_B, *items))

    @property
    def rows(self) -> int:
        """Rows added so far."""
        return self._rows

    def result(self, at: Sequence[int] = DEFAULT_AT) -> RankingMetrics:
        """Return the metrics of the rows so far.

        Args:
            at: lengths of top lists, each at least 1.
        """
        ties, items_R = self._ties()
        values, aucs = _values(ties, at), group_aucs(ties)
        has_both = ~np.isnan(aucs)
        judged = ties.positives > 0

        def mean(name: str) -> float | None:
            return float(values[name][judged].mean()) if judged.any() else None

        return RankingMetrics(
            groups=ties.groups.size,
            groups_with_positive=int(judged.sum()),
            groups_with_both=int(has_both.sum()),
            mrr=mean("mrr"),
            gauc=float(np.average(aucs[has_both], weights=ties.rows[has_both])) if has_both.any() else None,
            gauc_mean=float(aucs[has_both].mean()) if has_both.any() else None,
            at=tuple(
                TopMetrics(
                    k=k,
                    hr=mean(f"hr@{k}"),
                    ndcg=mean(f"ndcg@{k}"),
                    recall=mean(f"recall@{k}"),
                    coverage=None if items_R is None else coverage(ties, items_R, k),
                )
                for k in at
            ),
        )

    def group_values(self, at: Sequence[int] = DEFAULT_AT) -> GroupValues:
        """Return the metrics of each group by itself."""
        ties, _ = self._ties()
        return GroupValues(ties.groups, ties.rows, {**_values(ties, at), "auc": group_aucs(ties)})

    def _ties(self) -> tuple[TieClasses, NDArray[Any] | None]:
        empty = (np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0, np.float32))
        groups, positive, scores, *items = map(np.concatenate, zip(*(self._parts or [empty]), strict=True))
        return tie_classes(groups, positive, scores), items[0] if items else None


def coverage(ties: TieClasses, items_R: NDArray[Any], k: int) -> float | None:
    """Return the expected share of the distinct items that is among the first k of any group.

    Args:
        ties: the rows' classes.
        items_R: (R,) the item of each row, in the order that rows were given in.
        k: length of a top list.
    """
    if not items_R.size:
        return None
    shown_R = (ties.within(k) / ties.size)[ties.row_class]
    names, item_R = np.unique(items_R[ties.order], return_inverse=True)
    with np.errstate(divide="ignore"):  # an item that is certainly shown: log(0)
        never = np.exp(np.bincount(item_R, weights=np.log1p(-shown_R), minlength=names.size))
    return float(np.mean(1.0 - never))


def _values(ties: TieClasses, at: Sequence[int]) -> dict[str, Floats]:
    values = {"mrr": reciprocal_ranks(ties)}
    for k in at:
        if k < 1:
            raise ValueError(f"at: got {k}, expected at least 1")
        values[f"hr@{k}"] = np.where(ties.positives > 0, hit_rates(ties, k), np.nan)
        values[f"ndcg@{k}"] = ndcgs(ties, k)
        values[f"recall@{k}"] = recalls(ties, k)
    return values
