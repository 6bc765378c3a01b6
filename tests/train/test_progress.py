from __future__ import annotations

import pytest

from hotrow.config import from_mapping, to_mapping
from hotrow.train.config import ValidationConfig, ValidationMetric
from hotrow.train.progress import RunProgress


def _validated(losses: list[float], config: ValidationConfig) -> RunProgress:
    progress = RunProgress()
    for loss in losses:
        progress.add_step(10, 0.5)
        progress.add_validation(loss, config)
    return progress


def test_the_best_step_is_remembered() -> None:
    progress = _validated([0.5, 0.3, 0.4], ValidationConfig())
    assert (progress.best_step, progress.best_value, progress.stale) == (2, 0.3, 1)
    assert (progress.validated_step, progress.samples, progress.seconds) == (3, 30, 1.5)


def test_patience_counts_validations_without_improvement() -> None:
    config = ValidationConfig(patience=2)
    assert not _validated([0.5, 0.3, 0.4], config).is_out_of_patience(config)
    assert _validated([0.5, 0.3, 0.4, 0.31], config).is_out_of_patience(config)
    assert not _validated([0.5, 0.3, 0.4, 0.2], config).is_out_of_patience(config)
    assert not _validated([0.5, 0.6, 0.7, 0.8], ValidationConfig()).is_out_of_patience(ValidationConfig())


def test_an_improvement_below_min_delta_is_best_but_stale() -> None:
    progress = _validated([0.5, 0.49], ValidationConfig(min_delta=0.1))
    assert (progress.best_step, progress.stale) == (2, 1)


def test_the_rate_is_of_the_window() -> None:
    progress = RunProgress()
    assert progress.drain_rate() == 0.0
    progress.add_step(100, 0.5)
    assert progress.drain_rate() == 200.0
    progress.add_step(100, 1.0)
    assert progress.drain_rate() == 100.0


@pytest.mark.parametrize("metric", ["auc", "gauc", "ndcg", "hr"])
def test_of_other_metrics_the_highest_is_best(metric: ValidationMetric) -> None:
    config = ValidationConfig(metric=metric, patience=2, min_delta=0.05)
    progress = _validated([0.5, 0.7, 0.72, 0.6], config)
    assert (progress.best_step, progress.best_value, progress.stale) == (3, 0.72, 2)
    assert progress.is_out_of_patience(config)


def test_it_survives_json() -> None:
    progress = _validated([0.5, 0.3, 0.4], ValidationConfig())
    assert from_mapping(RunProgress, to_mapping(progress)) == progress
