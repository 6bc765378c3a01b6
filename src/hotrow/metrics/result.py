"""The figures by which a set of predictions is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hotrow.config import to_mapping


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Metrics of predicted click probabilities on a set of rows.

    A figure that the rows do not define is None, never a stand-in: everything but the counts
    without rows, ``auc`` and ``ne`` without both classes, ``calibration`` without clicks.

    Attributes:
        rows: rows judged.
        positives: rows with label 1.
        auc: probability that a click is scored above a non-click, ties counting one half.
        auc_error: the exact AUC of the same rows lies within ``auc`` plus or minus this.
        log_loss: mean binary cross-entropy, in nats.
        ne: normalised entropy, log loss over the entropy of the mean click rate (He et al., "Practical
            Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014); below 1 beats a constant.
        calibration: mean predicted probability over mean label; 1 is calibrated.
        accuracy: share of rows where "probability is at least 0.5" agrees with the label.
    """

    rows: int
    positives: int
    auc: float | None
    auc_error: float | None
    log_loss: float | None
    ne: float | None
    calibration: float | None
    accuracy: float | None

    def to_mapping(self) -> dict[str, Any]:
        """Return the metrics as plain JSON types, in the order above."""
        return to_mapping(self)


@dataclass(frozen=True, kw_only=True)
class Evaluation(Metrics):
    """All figures of a model on a set of rows: the metrics of its first task, and what else there is.

    Attributes:
        ranking: how well the first task ranks within groups, see ``RankingMetrics.figures``; None where
            the data has no groups.
        tasks: metrics of every task by its label's name; empty for a model of one task.
    """

    ranking: Mapping[str, int | float | None] | None = None
    tasks: Mapping[str, Metrics] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Return the figures as plain JSON types, without ``ranking`` and ``tasks`` where there are none."""
        mapping = to_mapping(self)
        return {name: value for name, value in mapping.items() if name in _FIGURES or value}


_FIGURES = frozenset(entry.name for entry in fields(Metrics))
