"""How well the models of both libraries rank: every one over three seeds."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.ctr.columns import describe
from benchmarks.ctr.data import prepared
from benchmarks.ctr.fuxi import train_peer
from benchmarks.ctr.ours import PRESETS, train_ours
from benchmarks.ctr.setup import SAME, Setup, Trained
from hotrow.data.dataset import Dataset

SEEDS = (0, 1, 2)

Figures = dict[str, Any]


def run(setup: Setup | None = None) -> Figures:
    """Train every model on every seed; means, deviations and differences."""
    setup = setup or Setup()
    with prepared() as (folder, dataset):
        trained = _train(folder, setup)
    return {
        "threads": torch.get_num_threads(),
        "training rows": dataset.rows("train"),
        "seeds": len(SEEDS),
        "models": [_summary(model, found) for model, found in trained.items()],
        "hotrow against FuxiCTR": [
            {"model": theirs, **_above(trained[mine], trained[_peer(theirs)])}
            for theirs, mine in SAME.items()
        ],
        "settings": {key: str(value) for key, value in asdict(setup).items()},
    }


def _peer(model: str) -> str:
    return f"FuxiCTR {model}"


def _train(folder: Path, setup: Setup) -> dict[str, list[Trained]]:
    """Train all models, as many at once as there are cores, with one thread each."""
    wanted = [(model, seed) for seed in SEEDS for model in (*PRESETS, *map(_peer, SAME))]
    trained: dict[str, list[Trained]] = {}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        made = pool.map(_train_one, *zip(*wanted, strict=True), [folder] * len(wanted), [setup] * len(wanted))
        for (model, seed), outcome in zip(wanted, made, strict=True):
            sys.stderr.write(f"{model}, seed {seed}: {outcome}\n")
            trained.setdefault(model, []).append(outcome)
    return trained


def _train_one(model: str, seed: int, folder: Path, setup: Setup) -> Trained:
    torch.set_num_threads(1)
    dataset = Dataset.open(folder / "data")
    if model in PRESETS:
        return train_ours(model, dataset, folder / f"{model}-{seed}", setup, seed)
    return train_peer(model.removeprefix(_peer("")), describe(dataset), folder, setup, seed)


def _summary(model: str, found: Sequence[Trained]) -> Figures:
    aucs = [outcome.auc for outcome in found]
    return {
        "model": model,
        "parameters": found[0].parameters,
        "auc": statistics.mean(aucs),
        "auc_deviation": statistics.stdev(aucs),
        "seconds": statistics.mean(outcome.seconds for outcome in found),
        "epochs": statistics.mean(outcome.epochs for outcome in found),
    }


def _above(ours: Sequence[Trained], theirs: Sequence[Trained]) -> Figures:
    """Return by how much our AUC is higher: of the means, and of the worst seed."""
    gaps = [mine.auc - other.auc for mine, other in zip(ours, theirs, strict=True)]
    return {"auc_above": statistics.mean(gaps), "auc_above_least": min(gaps)}
