"""One model, one seed: trained and judged on the way that every hotrow model takes."""

from __future__ import annotations

import json
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.ncf.judge import Ranking, ranking_of
from benchmarks.ncf.setup import make
from hotrow.data.dataset import Dataset
from hotrow.models.ncf import Kind
from hotrow.train import RunFolder, train_model


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a run.

    Attributes:
        kind: of the model.
        seed: of weights, order and negatives.
        validation: ranking of the held-out training pairs.
        test: ranking of the published test rows.
        parameters: of the model.
        epochs: passes over the positives.
        rows_per_second: training rows, negatives included.
        seconds: of training, on one thread.
        cpu_seconds: of everything, judging included: what does not depend on what else the machine does.
        log: a line for each epoch.
    """

    kind: Kind
    seed: int
    validation: Ranking
    test: Ranking
    parameters: int
    epochs: float
    rows_per_second: float
    seconds: float
    cpu_seconds: float
    log: tuple[str, ...]


def train_and_judge(data: Path, kind: Kind, seed: int) -> Outcome:
    """Train with one thread, so that runs may go on side by side."""
    torch.set_num_threads(1)
    started = time.process_time()
    dataset = Dataset.open(data)
    recipe = make(kind, dataset.schema.inputs(), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        report = train_model(dataset, recipe, Path(folder) / "run")
        return Outcome(
            kind=kind,
            seed=seed,
            validation=ranking_of(report.validation),
            test=ranking_of(report.test),
            parameters=recipe.model.facts().parameters,
            epochs=report.epochs,
            rows_per_second=report.samples_per_second,
            seconds=report.seconds,
            cpu_seconds=time.process_time() - started,
            log=_log(Path(report.run)),
        )


def _log(run: Path) -> tuple[str, ...]:
    """Return a line for each validation, with the training loss before it."""
    lines, loss = [], math.nan
    for entry in map(json.loads, RunFolder(run).metrics.read_text().splitlines()):
        if entry["kind"] == "train":
            loss = entry["loss"]
        if entry["kind"] == "validation":
            found = entry["validation"]["ranking"]
            lines.append(
                f"epoch {entry['epoch']:g}: training loss {loss:.4f}, validation HR@10 {found['hr@10']:.4f}, "
                f"NDCG@10 {found['ndcg@10']:.4f}"
            )
    return tuple(lines)
