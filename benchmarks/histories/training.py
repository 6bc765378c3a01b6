"""One model, one seed: trained by ``train_model`` and judged on the test rows, user by user."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.histories.setup import COMMON, Variant
from hotrow.artifact import load_artifact
from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.metrics import GroupValues, RankingAccumulator, auc
from hotrow.models import RankingModel
from hotrow.train import make_recipe, train_model


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What became of a run.

    Attributes:
        auc: over all test rows.
        users: metrics of each user by itself.
        parameters: of the model.
        seconds: of training, on one thread.
        rows_per_second: training rows.
    """

    auc: float
    users: GroupValues
    parameters: int
    seconds: float
    rows_per_second: float


def train_and_judge(data: Path, variant: Variant, seed: int) -> Outcome:
    """Train with one thread, so that runs may go on side by side."""
    torch.set_num_threads(1)
    dataset = Dataset.open(data)
    settings = {**COMMON, **variant.settings, "seed": str(seed)}
    recipe = make_recipe(variant.preset, dataset.schema.inputs(), settings=settings)
    with TemporaryDirectory() as folder:
        started = time.perf_counter()
        report = train_model(dataset, recipe, Path(folder) / "run")
        seconds = time.perf_counter() - started
        model = load_artifact(Path(folder) / "run").model
        area, users = _judge(model, Loader(dataset, "test", LoaderConfig(batch_size=4096)))
    return Outcome(
        auc=area,
        users=users,
        parameters=recipe.model.facts().parameters,
        seconds=seconds,
        rows_per_second=report.samples_per_second,
    )


@torch.inference_mode()
def _judge(model: RankingModel, loader: Loader) -> tuple[float, GroupValues]:
    ranking = RankingAccumulator()
    labels: list[NDArray[Any]] = []
    logits: list[NDArray[Any]] = []
    with loader.epoch() as batches:
        for batch in batches:
            assert batch.labels is not None
            assert batch.groups is not None
            labels.append(batch.labels.numpy().copy())
            logits.append(model(batch).numpy())
            ranking.update(batch.groups.numpy(), labels[-1], logits[-1])
    return auc(np.concatenate(labels), np.concatenate(logits)), ranking.group_values()
