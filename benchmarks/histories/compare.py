"""Train every model on every data set with three seeds, and compare them user by user."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._data import data_folder
from benchmarks.histories.memory import measure_memory
from benchmarks.histories.setup import ABLATION, ATTENTION, COMMON, RECURRENT, SOURCES, VARIANTS, Source
from benchmarks.histories.training import Outcome, train_and_judge
from hotrow.data.dataset import Dataset
from hotrow.data.prepare import prepare
from hotrow.metrics import mean_interval

SEEDS = (0, 1, 2)
COMPARED = ((ATTENTION, ABLATION), (RECURRENT, ATTENTION))

Figures = dict[str, Any]
Outcomes = dict[str, list[Outcome]]


def run() -> dict[str, Any]:
    """Return each model's figures, the differences between them with confidence intervals, and memory."""
    models: list[Figures] = []
    differences: list[Figures] = []
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count(), context) as pool:
        for source in SOURCES:
            data = _prepare(source, Path(folder))
            wanted = [(variant, seed) for variant in VARIANTS for seed in SEEDS]
            outcomes: Outcomes = {variant.name: [] for variant in VARIANTS}
            made = pool.map(train_and_judge, [data] * len(wanted), *zip(*wanted, strict=True))
            for (variant, seed), outcome in zip(wanted, made, strict=True):
                sys.stderr.write(f"{source.name}, {variant.name}, seed {seed}: AUC {outcome.auc:.4f}\n")
                outcomes[variant.name].append(outcome)
            rows = Dataset.open(data).rows("train")
            models += [
                {"data": source.name, "training rows": rows, **_summary(name, found)}
                for name, found in outcomes.items()
            ]
            differences += [{"data": source.name, **_difference(outcomes, *pair)} for pair in COMPARED]
    return {
        "seeds": len(SEEDS),
        "models": models,
        "differences": differences,
        "memory of training steps": measure_memory(),
        "settings": COMMON,
    }


def _prepare(source: Source, folder: Path) -> Path:
    files = [data_folder(source.folder) / name for name in source.files]
    data = folder / source.name.replace(" ", "-")
    prepare(source.format, files, data, settings=source.settings)
    return data


def _summary(name: str, outcomes: Sequence[Outcome]) -> Figures:
    aucs = [outcome.auc for outcome in outcomes]
    gaucs = [_gauc(outcome).mean for outcome in outcomes]
    return {
        "model": name,
        "auc": float(np.mean(aucs)),
        "auc_deviation": float(np.std(aucs, ddof=1)),
        "gauc": float(np.mean(gaucs)),
        "gauc_deviation": float(np.std(gaucs, ddof=1)),
        "parameters": outcomes[0].parameters,
        "seconds": float(np.mean([outcome.seconds for outcome in outcomes])),
        "rows_per_second": float(np.mean([outcome.rows_per_second for outcome in outcomes])),
    }


def _gauc(outcome: Outcome) -> Any:
    return mean_interval(outcome.users.values["auc"], outcome.users.rows)


def _difference(outcomes: Mapping[str, Sequence[Outcome]], first: str, second: str) -> Figures:
    """Compare two models: the AUC seed by seed; each user's AUC, a mean over the seeds, user by user."""
    one, other = outcomes[first], outcomes[second]
    gaps = np.array([mine.auc - theirs.auc for mine, theirs in zip(one, other, strict=True)])
    users = np.mean(
        [_user_aucs(mine) - _user_aucs(theirs) for mine, theirs in zip(one, other, strict=True)], axis=0
    )
    interval = mean_interval(users, one[0].users.rows)
    return {
        "model": first,
        "against": second,
        "auc_above": float(gaps.mean()),
        "auc_above_least": float(gaps.min()),
        "gauc_above": interval.mean,
        "gauc_above_low": interval.low,
        "gauc_above_high": interval.high,
        "users": interval.count,
        "verdict": _verdict(interval.low, interval.high),
    }


def _user_aucs(outcome: Outcome) -> Any:
    return outcome.users.values["auc"]


def _verdict(low: float, high: float) -> str:
    """Say what the 95% interval of the gAUC's difference says."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"
