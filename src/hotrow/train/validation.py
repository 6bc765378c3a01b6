"""The one figure that a validation is judged by."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import numpy as np

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError
from hotrow.metrics import Evaluation
from hotrow.models import Correction, RankingModel
from hotrow.train.config import ValidationConfig
from hotrow.train.evaluation import evaluate

_RANKING = ("gauc", "ndcg", "hr")
_FIELD = "validation.metric"
_log = logging.getLogger(__name__)


def require_metric(config: ValidationConfig, schema: Schema) -> None:
    """Check that a data set has what the metric is made from.

    Raises:
        ConfigError: a ranking metric of data without groups.
    """
    if config.metric in _RANKING and not schema.group:
        expected = "log_loss or auc: the data set has no column that groups rows by user or query"
        raise ConfigError(_FIELD, config.metric, expected)


def require_classes(config: ValidationConfig, dataset: Dataset, label: str) -> None:
    """Check that the validation rows have an AUC if models are chosen by it; say so if they have none.

    Args:
        config: which rows, and the metric.
        dataset: whose validation split it is.
        label: of the first task.

    Raises:
        ConfigError: ``auc`` is asked for and all rows are of one class.
    """
    column, left, found = dataset.schema.labels.index(label), config.max_rows or sys.maxsize, set[float]()
    for shard in dataset.shards("valid"):
        found |= set(np.unique(shard.label(column)[:left]).tolist())
        left -= min(left, len(shard))
    if len(found) != 1:
        return
    reason = f"{label} is {found.pop():g} in every row of split valid that validation looks at"
    if config.metric == "auc":
        raise ConfigError(_FIELD, config.metric, f"another one: {reason}")
    _log.warning("%s: its AUC and normalised entropy are undefined", reason)


def validate(
    model: RankingModel,
    loader: Loader,
    config: ValidationConfig,
    on_batch: Callable[[int], None],
    correction: Correction,
) -> Evaluation:
    """Return the metrics of the validation rows; see ``evaluate``."""
    return evaluate(model, loader, at=(config.at,), correction=correction, on_batch=on_batch)


def validation_value(metrics: Evaluation, config: ValidationConfig) -> float:
    """Return the value of the metric that models are chosen by.

    Raises:
        ConfigError: the validation rows do not define it.
    """
    ranking = metrics.ranking or {}
    value, needs = {
        "log_loss": (metrics.log_loss, "any rows"),
        "auc": (metrics.auc, "both classes"),
        "gauc": (ranking.get("gauc"), "a group with both classes"),
        "ndcg": (ranking.get(f"ndcg@{config.at}"), "a group with a positive"),
        "hr": (ranking.get(f"hr@{config.at}"), "a group with a positive"),
    }[config.metric]
    if value is None:
        raise ConfigError(_FIELD, config.metric, f"another one: the validation rows do not have {needs}")
    return value
