"""What is said and kept when training ends because a loss is no finite number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tests.conftest import small_schema
from tests.data.choices import choices, write_choices
from tests.data.lists import list_schema
from tests.train.runs import rewrite_shard

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import DivergedError, NonFiniteGradientError
from hotrow.interrupt import Interrupt
from hotrow.train import Listener, Recipe, change, make_recipe, train_model
from hotrow.train.diverged import keep_batch
from hotrow.train.loop import Trainer
from hotrow.train.run import build_learner

WriteDataset = Callable[..., Path]


def spoil(data: Dataset, rows: set[int], value: float) -> None:
    """Put a value that is no finite number into the first dense column of rows of the training split."""
    first = 0
    for number, shard in enumerate(data.shards("train")):
        dense = np.array(shard.dense)
        here = [row - first for row in rows if first <= row < first + len(dense)]
        dense[here, 0] = value
        rewrite_shard(data, "train", number, replace(shard, dense=dense))
        first += len(dense)


def stored(data: Dataset) -> NDArray[np.float32]:
    return np.concatenate([shard.dense for shard in data.shards("train")])


@pytest.mark.parametrize("settings", [{}, {"accumulate": "3"}, {"sampling.keep_negatives": "0.99"}])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_rows_are_named_and_kept(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, value: float, settings: dict[str, str]
) -> None:
    bad = {17, 640}
    spoil(dataset, bad, value)
    run = tmp_path / "run"
    with pytest.raises(DivergedError) as caught:
        train_model(Dataset.open(dataset.path), change(recipe, settings), run)
    message = str(caught.value)
    assert re.match(
        r"step \d+: the loss is (nan|inf), expected a finite number; its batch is kept in ", message
    )
    assert "lower tables.lr and dense.lr" in message
    assert "\n" not in message
    (file,) = (run / "diverged").iterdir()
    assert str(file) in message
    kept = load_file(file)
    found = kept["rows"][kept["bad"]].tolist()
    assert found
    assert set(found) <= bad
    assert f"without a finite score {', '.join(map(str, found))}" in message
    np.testing.assert_array_equal(kept["dense"].numpy(), stored(dataset)[kept["rows"].numpy()])
    assert kept["labels"].shape == (len(kept["rows"]),)
    assert not (run / "model").exists()


def test_weights_that_were_spoilt_before_are_told(dataset: Dataset, recipe: Recipe) -> None:
    learner = build_learner(recipe)
    name, parameter = next(iter(learner.model.dense_parameters()))
    parameter.data.fill_(math.nan)
    trainer = Trainer(
        learner,
        recipe.train,
        training=Loader(dataset, "train", LoaderConfig(batch_size=64)),
        validation=None,
        save=lambda: None,
        listener=Listener(),
    )
    expected = f"the loss is nan, expected a finite number; {name} has had weights that are not since"
    with pytest.raises(DivergedError, match=re.escape(expected)):
        trainer.run(Interrupt())


def test_a_gradient_that_tables_refuse_keeps_its_batch_too(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NonFiniteGradientError("C1", "C1")

    monkeypatch.setattr(Trainer, "_learn", refuse)
    with pytest.raises(DivergedError, match=r"^step 1: table C1: the gradient .*kept in .*step-000000001"):
        train_model(dataset, recipe, tmp_path / "run")
    (file,) = (tmp_path / "run" / "diverged").iterdir()
    assert len(load_file(file)["rows"]) == 64


def test_rows_of_drawn_negatives_are_those_they_were_drawn_for(tmp_path: Path) -> None:
    data = write_choices(tmp_path / "d", choices())
    spoil(data, {11}, math.inf)
    settings = {"batch_size": "32", "sampling.negatives": "3"}
    recipe = make_recipe("dlrm-small", data.schema.inputs(), settings=settings)
    with pytest.raises(DivergedError, match="without a finite score 11, 11, 11, 11;"):
        train_model(Dataset.open(data.path), recipe, tmp_path / "run")


def test_a_disk_that_refuses_is_told(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data = Dataset.open(write_dataset(tmp_path / "d", schema=list_schema()))
    with Loader(data, "train", LoaderConfig(batch_size=8)).epoch() as batches:
        batch = next(batches)
    rows, none = np.arange(8), torch.zeros(0, dtype=torch.int64)
    (tmp_path / "file").touch()
    said = keep_batch(tmp_path / "file", 3, batch, rows, none)
    assert said.startswith("its batch, rows 0, 1, 2, 3, 4 and 3 more of split train, could not be kept (")
    assert "all with finite scores" in keep_batch(tmp_path / "ok", 3, batch, rows, none)
    assert "none with a finite score" in keep_batch(tmp_path / "ok", 3, batch, rows, torch.arange(8))
    kept = load_file(tmp_path / "ok" / "step-000000003.safetensors")
    assert {"lists.ids", "lists.offsets", "lists.weights", "groups"} <= kept.keys()
    assert batch.lists is not None
    assert torch.equal(kept["lists.offsets"], batch.lists.offsets)


def test_a_hopeless_validation_ends_training(dataset: Dataset, recipe: Recipe) -> None:
    recipe = change(recipe, {"dense.lr": "0", "tables.lr": "0"})
    learner = build_learner(recipe)
    with torch.no_grad():
        for _, parameter in learner.model.dense_parameters():
            parameter.mul_(40)
    saved: list[int] = []
    trainer = Trainer(
        learner,
        recipe.train,
        training=Loader(dataset, "train", LoaderConfig(batch_size=64)),
        validation=Loader(dataset, "valid"),
        save=lambda: saved.append(1),
        listener=Listener(),
    )
    with pytest.raises(
        DivergedError, match=r"step 5: validation: the log loss is .* knows nothing 0.69; lower"
    ):
        trainer.run(Interrupt())
    assert saved == []


@pytest.mark.parametrize(
    "settings",
    [
        {"dense.lr": "100"},
        {"tables.lr": "1e6", "tables.kind": "sgd"},
        {"dense.kind": "sgd", "dense.lr": "1e4"},
    ],
)
def test_rates_that_are_far_too_high_stop_with_advice(
    tmp_path: Path, write_dataset: WriteDataset, settings: dict[str, str]
) -> None:
    data = Dataset.open(write_dataset(tmp_path / "data", schema=small_schema()))
    fixed = {"batch_size": "64", "epochs": "4", "schedule.decay": "constant"}
    recipe = make_recipe("dlrm-small", data.schema.inputs(), settings=fixed | settings)
    with pytest.raises(
        DivergedError, match=r"step \d+: .*; lower tables.lr and dense.lr, or set dense.clip_norm"
    ):
        train_model(data, recipe, tmp_path / "run")
