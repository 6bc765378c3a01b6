"""Samples per second of training, against DLRM in plain PyTorch; both see the same batches.

Networks and tables are Kaggle's (tables capped at 1M rows), on random rows. hotrow's side is its real
loop with everything ``hotrow train`` does in a step; the two take turns, some steps each. Both start
from the same weights with the same optimizers; the difference of their test AUC is reported too.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

import torch

from benchmarks._criteo import kaggle_schema, write_random
from benchmarks._plain import PlainDLRM, PlainTrainer
from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.interrupt import Interrupt, StopRequestedError
from hotrow.metrics import MetricAccumulator
from hotrow.models import DLRMConfig
from hotrow.train import Listener, Recipe, evaluate, make_recipe
from hotrow.train.loop import Trainer
from hotrow.train.run import build_learner

ROUNDS = 12
STEPS = {128: 100, 2048: 15}
"""Steps of a round, by batch size."""
TEST_ROWS = 100_000
OPTIMIZERS = {
    "sgd": {"tables.kind": "sgd", "tables.lr": "0.1", "dense.kind": "sgd", "dense.lr": "0.1"},
    "rowwise_adagrad": {"dense.kind": "adam"},
}


def run() -> dict[str, object]:
    """Measure both optimizers at both batch sizes; medians over the rounds, without the first two."""
    with tempfile.TemporaryDirectory() as folder:
        rows = ROUNDS * max(batch_size * steps for batch_size, steps in STEPS.items())
        dataset = write_random(Path(folder) / "data", kaggle_schema(cap=10**6), train=[rows], test=TEST_ROWS)
        return {
            f"{optimizer}_batch_{batch_size}": _measure(dataset, optimizer, batch_size)
            for optimizer in OPTIMIZERS
            for batch_size in STEPS
        } | {"threads": torch.get_num_threads()}


def _measure(dataset: Dataset, optimizer: str, batch_size: int) -> dict[str, float]:
    recipe = make_recipe(
        "dlrm-kaggle",
        dataset.schema.inputs(),
        settings={
            **OPTIMIZERS[optimizer],
            **{"batch_size": str(batch_size), "schedule.decay": "constant", "schedule.warmup": "0"},
        },
    )
    steps = STEPS[batch_size]
    loader = Loader(
        dataset,
        "train",
        LoaderConfig(batch_size=batch_size, shuffle=True, max_rows=batch_size * steps * ROUNDS),
    )
    trainer, plain = contenders(recipe, loader)
    rates: dict[str, list[float]] = {"hotrow": [], "plain": []}
    for turn in range(ROUNDS):
        started = time.perf_counter()
        with suppress(StopRequestedError):
            trainer.run_epoch(_StopAfter(steps))
        middle = time.perf_counter()
        with loader.epoch(start=turn * steps) as batches:
            for batch in islice(batches, steps):
                plain.step(batch, share=1.0, rows=batch_size)
        ended = time.perf_counter()
        rates["hotrow"].append(batch_size * steps / (middle - started))
        rates["plain"].append(batch_size * steps / (ended - middle))
    ours, theirs = (statistics.median(found[2:]) for found in rates.values())
    test = Loader(dataset, "test", LoaderConfig(batch_size=8192))
    areas = evaluate(trainer.learner.model, test).auc, plain_auc(plain.model, test)
    assert areas[0] is not None
    return {
        "hotrow_samples_per_second": ours,
        "plain_samples_per_second": theirs,
        "speedup": ours / theirs,
        "hotrow_test_auc": areas[0],
        "auc_difference": areas[0] - areas[1],
    }


class _StopAfter(Interrupt):
    """Stops the loop after a number of steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def check(self) -> None:
        """Count a step."""
        self.left -= 1
        self.requested = self.left <= 0
        super().check()


def contenders(recipe: Recipe, loader: Loader) -> tuple[Trainer, PlainTrainer]:
    """Return hotrow's trainer and the plain one, with the same initial weights."""
    learner = build_learner(recipe)
    assert isinstance(recipe.model, DLRMConfig)
    plain = PlainTrainer(PlainDLRM(recipe.model, learner.model.state_dict()), recipe.train)
    trainer = Trainer(
        learner, recipe.train, training=loader, validation=None, save=lambda: None, listener=Listener()
    )
    return trainer, plain


def plain_auc(model: PlainDLRM, loader: Loader) -> float:
    """Return a plain model's AUC on a loader's rows."""
    metrics = MetricAccumulator()
    with torch.inference_mode(), loader.epoch() as batches:
        for batch in batches:
            assert batch.labels is not None
            metrics.update(batch.labels.numpy(), model(batch).numpy())
    area = metrics.result().auc
    assert area is not None
    return area
