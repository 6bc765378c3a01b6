"""hotrow's models, trained by its own ``train_model`` as ``hotrow train`` does it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.ctr.setup import Setup, Trained
from hotrow.artifact import load_artifact
from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.metrics import auc
from hotrow.train import Recipe, evaluate, make_recipe, train_model

PRESETS = ("dlrm-small", "wide-deep-small", "deepfm-small", "dcnv2-small", "wukong-small")


def train_ours(preset: str, dataset: Dataset, folder: Path, setup: Setup, seed: int) -> Trained:
    """Train a preset and judge it on the test rows.

    Args:
        preset: its name.
        dataset: prepared.
        folder: takes the run.
        setup: sizes and rates.
        seed: of initial weights and order of rows.
    """
    recipe = _recipe(preset, dataset, setup, seed)
    started = time.perf_counter()
    report = train_model(dataset, recipe, folder)
    return Trained(
        auc=_exact_auc(folder, dataset),
        parameters=recipe.model.facts().parameters,
        seconds=time.perf_counter() - started,
        epochs=report.epochs,
    )


def our_rate(preset: str, dataset: Dataset, setup: Setup) -> float:
    """Return samples/s of training an epoch, the loader included, validation not."""
    recipe = _recipe(preset, dataset, setup, seed=0)
    recipe = replace(recipe, train=replace(recipe.train, epochs=1))
    with TemporaryDirectory() as folder:
        return train_model(dataset, recipe, Path(folder) / "run").samples_per_second


def settings_of(preset: str, setup: Setup) -> dict[str, str]:
    """Return all settings of a preset but the seed."""
    settings = {
        "model.width": str(setup.width),
        "batch_size": str(setup.batch_size),
        "epochs": str(setup.epochs),
        "validation.per_epoch": "1",
        "validation.metric": "auc",
        "validation.patience": str(setup.patience),
        "checkpoints.per_epoch": "1",
    }
    return settings | dict(setup.ours) | _sizes(preset, setup)


def _recipe(preset: str, dataset: Dataset, setup: Setup, seed: int) -> Recipe:
    settings = settings_of(preset, setup) | {"seed": str(seed)}
    return make_recipe(preset, dataset.schema.inputs(), settings=settings)


def _sizes(preset: str, setup: Setup) -> dict[str, str]:
    """Return the settings that give a preset the networks of the comparison."""
    hidden = ",".join(map(str, setup.hidden))
    if preset == "dlrm-small":
        return {"model.top": f"{hidden},1"}
    if preset == "dcnv2-small":
        return {"model.deep": hidden, "model.crosses": str(setup.crosses), "model.rank": "null"}
    return {"model.deep": f"{hidden},1"} if preset in ("wide-deep-small", "deepfm-small") else {}


def _exact_auc(run: Path, dataset: Dataset) -> float:
    labels: list[NDArray[Any]] = []
    logits: list[NDArray[Any]] = []

    def keep(labels_B: NDArray[Any], logits_B: NDArray[Any]) -> None:
        labels.append(labels_B.copy())
        logits.append(logits_B.copy())

    test = Loader(dataset, "test", LoaderConfig(batch_size=8192))
    evaluate(load_artifact(run).model, test, on_logits=keep)
    return auc(np.concatenate(labels), np.concatenate(logits))
