"""AUC and learning curves of training in bf16 and in fp32, on several seeds of the same data.

MovieLens-1M is split at random (80/10/10) and trained as suite ``ctr`` trains it; the synthetic rows are
trained for one epoch with the default settings. Processors without bf16 products round as those do, slowly.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from benchmarks._data import data_folder
from benchmarks.ctr.data import SOURCES
from benchmarks.ctr.ours import settings_of
from benchmarks.ctr.setup import Setup
from hotrow.data.dataset import Dataset
from hotrow.data.prepare import prepare
from hotrow.metrics import Evaluation
from hotrow.synth import synthesize_criteo
from hotrow.train import Listener, Moment, make_recipe, train_model
from hotrow.train.config import Precision

SEEDS = (0, 1, 2)
ROWS = int(os.environ.get("PRECISION_ROWS", "5000000"))
_SYNTHETIC = {"validation.per_epoch": "10", "checkpoints.per_epoch": "1", "checkpoints.keep_best": "false"}

Figures = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Attributes:
        auc: on all test rows.
        log_loss: likewise, in nats.
        curve: samples seen, and the AUC on validation rows then.
    """

    auc: float
    log_loss: float
    curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        name: of it.
        data: the prepared data set.
        preset: of the model.
        settings: beside seed and precision.
    """

    name: str
    data: Path
    preset: str
    settings: Mapping[str, str]


def run() -> Figures:
    """Train all cases in both precisions, as many at once as there are cores, with one thread each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = _cases(folder)
        wanted = [
            (case, precision, seed) for case in cases for seed in SEEDS for precision in get_args(Precision)
        ]
        found: dict[tuple[str, str], list[Trained]] = {}
        with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
            made = pool.map(_train, *zip(*wanted, strict=True), [folder] * len(wanted))
            for (case, precision, seed), trained in zip(wanted, made, strict=True):
                sys.stderr.write(f"{case.name}, {precision}, seed {seed}: AUC {trained.auc:.5f}\n")
                found.setdefault((case.name, precision), []).append(trained)
    compared, curves = [], []
    for case in cases:
        runs = [found[case.name, precision] for precision in get_args(Precision)]
        compared.append(_compare(case.name, *runs))
        curves += _curves(case.name, *runs)
    return {
        "seeds": len(SEEDS),
        "synthetic rows": ROWS,
        "bf16 against fp32": compared,
        "learning curves, means": curves,
    }


def _cases(folder: Path) -> list[Case]:
    sources = [data_folder("ml-1m") / name for name in SOURCES]
    prepare("movielens", sources, folder / "ml-1m", settings={"split": "random"})
    synthesize_criteo(folder / "log.txt", ROWS, 1)
    prepare("criteo", [folder / "log.txt"], folder / "synthetic")
    (folder / "log.txt").unlink()
    movies = [
        Case(f"ml-1m, {preset}", folder / "ml-1m", preset, settings_of(preset, Setup()))
        for preset in ("dlrm-small", "dcnv2-small")
    ]
    return [*movies, Case("synthetic, dlrm-kaggle", folder / "synthetic", "dlrm-kaggle", _SYNTHETIC)]


class _Curve(Listener):
    """Keeps the AUC of every validation."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        """Keep it."""
        assert metrics.auc is not None
        self.points.append((moment.samples, metrics.auc))


def _train(case: Case, precision: Precision, seed: int, folder: Path) -> Trained:
    torch.set_num_threads(1)
    dataset, curve = Dataset.open(case.data), _Curve()
    settings = {**case.settings, "precision": precision, "seed": str(seed)}
    recipe = make_recipe(case.preset, dataset.schema.inputs(), settings=settings)
    report = train_model(dataset, recipe, folder / f"{case.name}-{precision}-{seed}", listener=curve)
    assert report.test is not None
    assert report.test.auc is not None
    assert report.test.log_loss is not None
    return Trained(report.test.auc, report.test.log_loss, tuple(curve.points))


def _compare(name: str, fp32: Sequence[Trained], bf16: Sequence[Trained]) -> Figures:
    """Return the means over the seeds, and their difference with its noise: that of two means."""
    means = [statistics.mean(trained.auc for trained in runs) for runs in (fp32, bf16)]
    deviations = [statistics.stdev(trained.auc for trained in runs) for runs in (fp32, bf16)]
    losses = [statistics.mean(trained.log_loss for trained in runs) for runs in (fp32, bf16)]
    return {
        "trained": name,
        "fp32 AUC": means[0],
        "fp32 deviation": deviations[0],
        "bf16 AUC": means[1],
        "bf16 deviation": deviations[1],
        "bf16 above fp32": means[1] - means[0],
        "noise of that": math.hypot(*deviations) / math.sqrt(len(SEEDS)),
        "bf16 above fp32, log loss": losses[1] - losses[0],
    }


def _curves(name: str, fp32: Sequence[Trained], bf16: Sequence[Trained]) -> list[Figures]:
    """Return mean AUCs on the validation rows, as far as all seeds went."""
    rows = []
    for points in zip(*(trained.curve for trained in (*fp32, *bf16)), strict=False):
        assert len({samples for samples, _ in points}) == 1
        aucs = [auc for _, auc in points]
        means = {
            "fp32 AUC": statistics.mean(aucs[: len(fp32)]),
            "bf16 AUC": statistics.mean(aucs[len(fp32) :]),
        }
        rows.append({"trained": name, "samples": points[0][0], **means})
    return rows
