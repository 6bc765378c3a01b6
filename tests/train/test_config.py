from __future__ import annotations

import pytest

from hotrow.config import from_mapping, override, to_mapping
from hotrow.errors import ConfigError
from hotrow.train import TrainConfig


def test_it_survives_json() -> None:
    config = override(TrainConfig(), {"dense.kind": "sgd", "validation.patience": "3", "tables.lr": "0.5"})
    assert (config.dense.kind, config.validation.patience, config.tables.lr) == ("sgd", 3, 0.5)
    assert from_mapping(TrainConfig, to_mapping(config)) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", "0"),
        ("batch_size", "0"),
        ("batch_size", "many"),
        ("seed", "-1"),
        ("log_every", "0"),
        ("accumulate", "0"),
        ("accumulate", "2049"),
        ("dense.lr", "-1"),
        ("dense.lr", "nan"),
        ("dense.kind", "lion"),
        ("dense.weight_decay", "-1"),
        ("dense.clip_norm", "0"),
        ("schedule.warmup", "1"),
        ("schedule.final", "2"),
        ("schedule.power", "0"),
        ("schedule.decay", "steps"),
        ("validation.per_epoch", "0"),
        ("validation.patience", "0"),
        ("validation.max_rows", "0"),
        ("validation.batch_size", "0"),
        ("validation.min_delta", "-1"),
        ("validation.metric", "recall"),
        ("validation.at", "0"),
        ("task_weights", "1,-1"),
        ("label_weights.positive", "0"),
        ("label_weights.negative", "1,inf"),
        ("sampling.keep_negatives", "0"),
        ("sampling.keep_negatives", "1.5"),
        ("checkpoints.per_epoch", "0"),
        ("checkpoints.keep_last", "0"),
        ("strategy", "hybrid"),
        ("precision", "fp16"),
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(ConfigError, match=field):
        override(TrainConfig(), {field: value})


def test_negatives_are_drawn_or_left_out() -> None:
    with pytest.raises(
        ConfigError, match=r"sampling\.keep_negatives: got 0.5, expected 1 where negatives are"
    ):
        override(TrainConfig(), {"sampling.negatives": "4", "sampling.keep_negatives": "0.5"})
