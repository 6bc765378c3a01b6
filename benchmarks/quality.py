"""Test AUC after one epoch on synthetic rows with the default settings.

Judged by two marks: the AUC of what can be learnt of the planted truth, and a DLRM in plain PyTorch
from the same initial weights, on the same batches, with the same optimizers and schedule.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks._plain import PlainDLRM, PlainTrainer, plain_auc
from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.data.prepare import prepare
from hotrow.models import DLRMConfig
from hotrow.synth import synthesize_criteo
from hotrow.train import Recipe, make_recipe, train_model
from hotrow.train.run import build_learner
from hotrow.train.schedule import rate_multiplier

SEED = 1


def run(rows: int = 2_000_000) -> dict[str, object]:
    """Generate, prepare, train both models for one epoch, and judge them on the test split."""
    with tempfile.TemporaryDirectory() as folder:
        log, data = Path(folder) / "log.txt", Path(folder) / "data"
        truth = synthesize_criteo(log, rows, SEED)
        prepare("criteo", [log], data)
        dataset = Dataset.open(data)
        recipe = make_recipe(
            "dlrm-kaggle", dataset.schema.inputs(), settings={"checkpoints.keep_best": "false"}
        )
        report = train_model(dataset, recipe, Path(folder) / "run", show_progress=True)
        plain = _train_plain(dataset, recipe)
    assert report.test is not None
    assert report.test.auc is not None
    assert truth.learnable_auc is not None
    return {
        "rows": rows,
        "oracle_auc": truth.oracle_auc,
        "learnable_auc": truth.learnable_auc,
        "test_auc": report.test.auc,
        "below_learnable": truth.learnable_auc - report.test.auc,
        "plain_test_auc": plain,
        "above_plain": report.test.auc - plain,
        "test_ne": report.test.ne,
        "test_log_loss": report.test.log_loss,
        "samples_per_second": report.samples_per_second,
    }


def _train_plain(dataset: Dataset, recipe: Recipe) -> float:
    """Train the plain model on the very batches that ``train`` used; return its test AUC."""
    assert isinstance(recipe.model, DLRMConfig)
    config = recipe.train
    trainer = PlainTrainer(PlainDLRM(recipe.model, build_learner(recipe).model.state_dict()), config)
    loader = Loader(
        dataset, "train", LoaderConfig(batch_size=config.batch_size, shuffle=True, seed=config.seed)
    )
    total = loader.batches * config.epochs
    for epoch in range(config.epochs):
        with loader.epoch(epoch) as batches:
            for number, batch in enumerate(batches, start=epoch * loader.batches):
                share = rate_multiplier(config.schedule, number, total)
                trainer.step(batch, share=share, rows=min(config.batch_size, loader.rows))
    return plain_auc(trainer.model, Loader(dataset, "test", LoaderConfig(batch_size=8192)))
