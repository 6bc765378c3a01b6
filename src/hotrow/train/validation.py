"""The one figure that a validation is judged by."""

from __future__ import annotations

from collections.abc import Callable

from hotrow.data.loader import Loader
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError
from hotrow.metrics import Evaluation
from hotrow.models import Correction, RankingModel
from hotrow.train.config import ValidationConfig
from hotrow.train.evaluation import evaluate

_RANKING = ("gauc", "ndcg", "hr")
_FIELD = "validation.metric"


def require_metric(config: ValidationConfig, schema: Schema) -> None:
    """Check that a data set has what the metric is made from.

    Raises:
        ConfigError: a ranking metric of data without groups.
    """
    if config.metric in _RANKING and not schema.group:
        expected = "log_loss or auc: the data set has no column that groups rows by user or query"
        raise ConfigError(_FIELD, config.metric, expected)


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
