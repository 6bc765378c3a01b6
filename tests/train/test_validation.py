from __future__ import annotations

from typing import Any

import pytest

from hotrow.data.schema import CategoricalFeature, Schema
from hotrow.errors import ConfigError
from hotrow.metrics import Evaluation
from hotrow.train.config import ValidationConfig
from hotrow.train.validation import require_metric, validation_value

FOUND = Evaluation(
    rows=3, positives=1, auc=0.75, auc_error=0.0, log_loss=0.6, ne=0.9, calibration=1.0, accuracy=0.7,
    ranking={"groups": 2, "gauc": 0.8, "hr@5": 0.3, "ndcg@5": 0.2, "hr@10": 0.5},
)  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "value"), [("log_loss", 0.6), ("auc", 0.75), ("gauc", 0.8), ("ndcg", 0.2), ("hr", 0.3)]
)
def test_the_metric_is_found(metric: Any, value: float) -> None:
    assert validation_value(FOUND, ValidationConfig(metric=metric, at=5)) == value


@pytest.mark.parametrize(
    ("metric", "needs"),
    [("auc", "both classes"), ("gauc", "a group with both classes"), ("ndcg", "a group with a positive")],
)
def test_a_metric_that_the_rows_do_not_define_is_told(metric: Any, needs: str) -> None:
    nothing = Evaluation(
        rows=2, positives=0, auc=None, auc_error=None, log_loss=0.6, ne=None, calibration=None, accuracy=0.7,
        ranking={"groups": 2, "gauc": None, "hr@10": None, "ndcg@10": None},
    )  # fmt: skip
    with pytest.raises(ConfigError, match=rf"validation\.metric: got '{metric}'.* do not have {needs}"):
        validation_value(nothing, ValidationConfig(metric=metric))


def _schema(group: str) -> Schema:
    return Schema(
        format="criteo",
        label="label",
        dense=(),
        categorical=(CategoricalFeature(name="C1", rows=9),),
        group=group,
    )


@pytest.mark.parametrize("metric", ["gauc", "ndcg", "hr"])
def test_ranking_metrics_need_groups(metric: Any) -> None:
    require_metric(ValidationConfig(metric=metric), _schema("user"))
    with pytest.raises(ConfigError, match="expected log_loss or auc: the data set has no column that groups"):
        require_metric(ValidationConfig(metric=metric), _schema(""))
    require_metric(ValidationConfig(metric="auc"), _schema(""))
