from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.train.runs import rewrite_shard

from hotrow.data.dataset import Dataset
from hotrow.data.schema import CategoricalFeature, Schema
from hotrow.errors import ConfigError
from hotrow.metrics import Evaluation
from hotrow.train import make_recipe, train_model
from hotrow.train.config import ValidationConfig
from hotrow.train.validation import require_classes, require_metric, validation_value

WriteDataset = Callable[..., Path]
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


def _with_labels(path: Path, values: list[float]) -> Dataset:
    """Give the validation split other labels."""
    data = Dataset.open(path)
    (shard,) = data.shards("valid")
    labels = np.resize(np.array(values, dtype=np.float32), len(shard))
    rewrite_shard(data, "valid", 0, replace(shard, labels=labels))
    return Dataset.open(path)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rows_of_one_class_are_told_at_once(
    tmp_path: Path, write_dataset: WriteDataset, caplog: pytest.LogCaptureFixture, value: float
) -> None:
    data = _with_labels(write_dataset(tmp_path / "d"), [value])
    message = f"label is {value:g} in every row of split valid"
    require_classes(ValidationConfig(), data, "label")
    assert message in caplog.text
    assert "AUC and normalised entropy are undefined" in caplog.text
    with pytest.raises(ConfigError, match=f"validation.metric: got 'auc', expected another one: {message}"):
        require_classes(ValidationConfig(metric="auc"), data, "label")


def test_only_the_rows_that_are_looked_at_count(
    tmp_path: Path, write_dataset: WriteDataset, caplog: pytest.LogCaptureFixture
) -> None:
    data = _with_labels(write_dataset(tmp_path / "d"), [0.0] * 149 + [1.0])
    require_classes(ValidationConfig(metric="auc"), data, "label")
    assert caplog.text == ""
    with pytest.raises(ConfigError, match="another one"):
        require_classes(ValidationConfig(metric="auc", max_rows=149), data, "label")
    empty = Dataset.open(write_dataset(tmp_path / "e", splits={"train": (9,), "valid": (), "test": ()}))
    require_classes(ValidationConfig(metric="auc"), empty, "label")


def test_a_run_on_rows_of_one_class_reports_no_area(
    tmp_path: Path, write_dataset: WriteDataset, caplog: pytest.LogCaptureFixture
) -> None:
    data = _with_labels(write_dataset(tmp_path / "d"), [0.0])
    recipe = make_recipe("dlrm-small", data.schema.inputs(), settings={"batch_size": "4096"})
    report = train_model(data, recipe, tmp_path / "run")
    assert report.validation is not None
    assert (report.validation.auc, report.validation.ne, report.validation.calibration) == (None, None, None)
    assert report.validation.log_loss is not None
    assert "batch_size 4,096 is more than the 800 rows to train on: every epoch is one step" in caplog.text
    assert report.steps == 1
