"""Training in pieces is training on whole batches, up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch
from tests.train.heads import history_schema
from tests.train.runs import PressAt, metrics_lines

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.interrupt import Interrupt
from hotrow.kernels.embedding_bag import OptimizerKind
from hotrow.train import Listener, Recipe, change, make_recipe, train_model
from hotrow.train.config import DenseOptimizerKind
from hotrow.train.loop import Learner, Trainer
from hotrow.train.run import build_learner

WriteDataset = Callable[..., Path]


def _trained(dataset: Dataset, recipe: Recipe) -> Learner:
    learner = build_learner(recipe)
    config = LoaderConfig(batch_size=recipe.train.batch_size, shuffle=True)
    trainer = Trainer(
        learner,
        recipe.train,
        training=Loader(dataset, "train", config),
        validation=None,
        save=lambda: None,
        listener=Listener(),
    )
    trainer.run(Interrupt())
    return learner


def _assert_alike(dataset: Dataset, recipe: Recipe, count: int) -> None:
    whole, pieces = (_trained(dataset, change(recipe, {"accumulate": text})) for text in ("1", str(count)))
    theirs = whole.model.state_dict()
    for name, tensor in pieces.model.state_dict().items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-3, atol=2e-5, msg=name)
    assert pieces.progress.samples == whole.progress.samples
    assert pieces.progress.step == whole.progress.step


# A row that no gradient but rounding touches may go either way under Adam's normalisation: eps is large.
@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("kind", get_args(OptimizerKind))
def test_whatever_the_tables_optimizer(
    dataset: Dataset, recipe: Recipe, kind: OptimizerKind, count: int
) -> None:
    settings = {"tables.kind": kind, "tables.lr": "0.05", "tables.eps": "0.01", "dense.kind": "sgd"}
    _assert_alike(dataset, change(recipe, settings | {"dense.lr": "0.1", "epochs": "1"}), count)


@pytest.mark.parametrize("kind", get_args(DenseOptimizerKind))
def test_whatever_the_networks_optimizer(dataset: Dataset, recipe: Recipe, kind: DenseOptimizerKind) -> None:
    settings = {"dense.kind": kind, "dense.lr": "0.0005", "dense.clip_norm": "0.05", "epochs": "1"}
    _assert_alike(dataset, change(recipe, settings | {"dense.weight_decay": "0.01"}), 3)


@pytest.mark.parametrize("preset", ["dcnv2-small", "esmm-small", "wide-deep-small", "deepfm-small"])
def test_whatever_the_model(tmp_path: Path, write_dataset: WriteDataset, preset: str) -> None:
    data = Dataset.open(write_dataset(tmp_path / "users", schema=history_schema()))
    settings = {"batch_size": "64", "dense.kind": "sgd", "label_weights.positive": "2,3"}
    recipe = make_recipe(preset, data.schema.inputs())
    if len(recipe.model.tasks) == 1:
        settings["label_weights.positive"] = "2"
    _assert_alike(data, change(recipe, settings), 4)


def test_models_of_histories_train_in_pieces_too(tmp_path: Path, write_dataset: WriteDataset) -> None:
    """Their rows look at each other (Dice, DIEN's negatives), so they learn something else."""
    data = Dataset.open(write_dataset(tmp_path / "users", schema=history_schema()))
    for preset in ("din-small", "dien-small"):
        recipe = make_recipe(preset, data.schema.inputs(), settings={"batch_size": "64", "accumulate": "3"})
        assert train_model(data, recipe, tmp_path / preset).steps == 13


def test_a_run_in_pieces_resumes_to_the_same_bits(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    recipe = change(recipe, {"accumulate": "3"})
    train_model(dataset, recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_model(dataset, recipe, tmp_path / "cut", listener=PressAt(7))
    train_model(dataset, recipe, tmp_path / "cut", resume=True)
    for name in ("tables.safetensors", "dense.safetensors"):
        whole, cut = (tmp_path / run / "model" / name for run in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes()
    assert metrics_lines(tmp_path / "whole") == metrics_lines(tmp_path / "cut")
