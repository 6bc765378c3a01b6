"""Training on a log of choices, with negatives drawn while training."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.data.choices import ITEMS, USERS, choices, take, write_choices

from hotrow.data.dataset import Dataset
from hotrow.errors import ConfigError
from hotrow.train import Listener, RunFolder, make_recipe, train_model

SETTINGS = {
    **{"checkpoints.keep_best": "false", "checkpoints.per_epoch": "1", "validation.per_epoch": "1"},
    **{"batch_size": "32", "epochs": "30", "sampling.negatives": "3", "log_every": "9"},
    **{"tables.kind": "adam", "tables.lr": "0.02", "tables.eps": "1e-8", "dense.lr": "0.01"},
}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A third of all pairs of user and item is chosen; all pairs are judged by whether they are."""
    pairs = choices((USERS - 2) * (ITEMS - 2))
    is_chosen = np.random.default_rng(1).random(len(pairs.ids)) < 1 / 3
    judged = replace(pairs, labels=is_chosen.astype(np.float32))
    return write_choices(tmp_path / "d", take(pairs, np.flatnonzero(is_chosen)), judged=judged)


class _PressAfter(Listener):
    """Presses Ctrl-C after a number of steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, samples: int) -> None:
        assert samples % 4 == 0
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def test_what_users_chose_is_learnt_from_choices_alone(tmp_path: Path, dataset: Dataset) -> None:
    recipe = make_recipe("dlrm-small", dataset.schema.inputs(), settings=SETTINGS)
    report = train_model(dataset, recipe, tmp_path / "run")
    assert report.samples == 4 * 30 * dataset.rows("train")
    assert report.test is not None
    assert report.test.auc is not None
    assert report.test.auc > 0.9


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path, dataset: Dataset) -> None:
    recipe = make_recipe("dlrm-small", dataset.schema.inputs(), settings=SETTINGS | {"epochs": "2"})
    train_model(dataset, recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_model(dataset, recipe, tmp_path / "cut", listener=_PressAfter(5))
    train_model(dataset, recipe, tmp_path / "cut", resume=True)
    for name in ("tables.safetensors", "dense.safetensors"):
        whole, cut = (tmp_path / run / "model" / name for run in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes()


def test_choices_alone_are_not_learnt_from(tmp_path: Path, dataset: Dataset) -> None:
    recipe = make_recipe(
        "dlrm-small", dataset.schema.inputs(), settings=SETTINGS | {"sampling.negatives": "0"}
    )
    with pytest.raises(
        ConfigError, match=r"sampling\.negatives: got 0, expected at least 1: `\w+` is 1 in every"
    ):
        train_model(dataset, recipe, tmp_path / "run")
    assert not RunFolder(tmp_path / "run").path.exists()


def test_a_refused_data_set_leaves_no_run(tmp_path: Path, dataset: Dataset) -> None:
    recipe = make_recipe("dlrm-small", dataset.schema.inputs(), settings={"sampling.negatives": "1"})
    wrong = replace(
        recipe, train=replace(recipe.train, sampling=replace(recipe.train.sampling, item="movie"))
    )
    with pytest.raises(ConfigError, match=r"sampling\.item: got 'movie'"):
        train_model(dataset, wrong, tmp_path / "run")
    assert not RunFolder(tmp_path / "run").path.exists()
