"""Run the comparison: every model of both libraries over three seeds, then how fast they train."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks._data import data_folder
from benchmarks.ctr.columns import describe, read_split
from benchmarks.ctr.fuxi import peer_rates, train_peer, write_splits
from benchmarks.ctr.ours import PRESETS, our_rate, train_ours
from benchmarks.ctr.setup import Setup, Trained
from hotrow.data.dataset import SPLITS, Dataset
from hotrow.data.prepare import prepare

SEEDS = (0, 1, 2)
SAME = {"dcnv2": "dcnv2-small", "deepfm": "deepfm-small"}
"""FuxiCTR's models, and what they are in hotrow."""
SOURCES = ("interactions_like.csv", "users.dat", "movies.dat")
ROUNDS = 3

Figures = dict[str, Any]


def run(setup: Setup | None = None) -> Figures:
    """Train every model on every seed; means, deviations, differences and throughput."""
    setup = setup or Setup()
    sources = [data_folder("ml-1m") / name for name in SOURCES]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare("movielens", sources, folder / "data", settings={"split": "random"})
        dataset = Dataset.open(folder / "data")
        write_splits(folder, {split: read_split(dataset, split) for split in SPLITS})
        trained = _train(folder, setup)
        rates = _rates(folder, dataset, setup)
    return {
        "threads": torch.get_num_threads(),
        "training rows": dataset.rows("train"),
        "seeds": len(SEEDS),
        "models": [_summary(model, found) for model, found in trained.items()],
        "hotrow against FuxiCTR": [
            {"model": theirs, **_above(trained[mine], trained[_peer(theirs)]), **rates[theirs]}
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


def _rates(folder: Path, dataset: Dataset, setup: Setup) -> dict[str, Figures]:
    """Time an epoch of both libraries, in turns, each with all threads; medians."""
    found = {}
    for theirs, mine in SAME.items():
        ours, loops, steps = [], [], []
        for _ in range(ROUNDS):
            ours.append(our_rate(mine, dataset, setup))
            peer = peer_rates(theirs, describe(dataset), folder, setup)
            loops.append(peer.loop)
            steps.append(peer.step)
        rate, loop, step = (statistics.median(values) for values in (ours, loops, steps))
        found[theirs] = {
            "hotrow_samples_per_second": rate,
            "fuxictr_samples_per_second": loop,
            "fuxictr_step_samples_per_second": step,
            "times_as_fast": rate / loop,
            "times_as_fast_as_its_step": rate / step,
        }
    return found


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
