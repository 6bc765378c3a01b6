"""Prepare MovieLens-1M, train every model with three seeds, set them beside the baselines."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._data import data_folder
from benchmarks.ncf.baselines import ALS, implicit_als, popularity
from benchmarks.ncf.judge import Ranking, read_split
from benchmarks.ncf.setup import COMMON, KINDS, OWN
from benchmarks.ncf.training import Outcome, train_and_judge
from hotrow.data.dataset import Dataset
from hotrow.data.prepare import prepare

SEEDS = (1, 2, 3)
TARGET = Ranking(hr=0.69, ndcg=0.41)
"""What NeuMF is to reach, as a mean over the seeds."""

LOG = Path(__file__).parents[1] / "results" / "ncf.log"


def run() -> dict[str, Any]:
    """Return the figures of every model; keep the runs' logs in ``results/ncf.log``."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        prepare("movielens", [data_folder("ml-1m")], data, settings={"task": "implicit", "split": "ncf"})
        rows = [*_baselines(Dataset.open(data))]
        outcomes = _train(data)
    LOG.write_text("".join(_logged(outcomes)))
    rows += [_row(kind, [made for made in outcomes if made.kind == kind]) for kind in KINDS]
    neumf = rows[-1]
    return {
        "target": f"NeuMF HR@10 >= {TARGET.hr}, NDCG@10 >= {TARGET.ndcg}, mean of {len(SEEDS)} seeds",
        "reached": neumf["hr@10"] >= TARGET.hr and neumf["ndcg@10"] >= TARGET.ndcg,
        "verdict": _verdict(rows),
        "ties": "by expectation: a tie counts as its places' mean",
        "minutes": (time.perf_counter() - started) / 60,
        "models": rows,
        "settings": [{"model": kind, **COMMON, **OWN[kind]} for kind in KINDS],
        "als_settings": ALS,
    }


def _verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    first, second, *_ = sorted(rows, key=lambda row: row["ndcg@10"], reverse=True)
    return (
        f"{first['model']} wins: NDCG@10 {first['ndcg@10']:.4f}, before {second['model']} with "
        f"{second['ndcg@10']:.4f}; {first['cpu seconds']:.0f} s of CPU against {second['cpu seconds']:.0f} s"
    )


def _baselines(dataset: Dataset) -> Iterator[dict[str, Any]]:
    train, valid, test = (read_split(dataset, split) for split in ("train", "valid", "test"))
    judged = [[part.judge(popularity(train, part))] for part in (valid, test)]
    yield {"model": "ItemPop", "seeds": 1, **_figures(*judged)}
    started, used = time.perf_counter(), time.process_time()
    scores = [implicit_als(train, [valid, test], seed=seed) for seed in SEEDS]
    seconds, used = time.perf_counter() - started, time.process_time() - used
    judged = [[part.judge(made[at]) for made in scores] for at, part in enumerate((valid, test))]
    parameters = ALS["factors"] * sum(dataset.schema.rows)
    yield {
        "model": f"implicit ALS, {ALS['factors']} factors",
        "seeds": len(SEEDS),
        **_figures(*judged),
        "parameters": int(parameters),
        "seconds": seconds / len(SEEDS),
        "cpu seconds": used / len(SEEDS),
    }


def _train(data: Path) -> list[Outcome]:
    """Train all models, as many at once as there are cores."""
    wanted = [(kind, seed) for kind in reversed(KINDS) for seed in SEEDS]
    outcomes = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for outcome in pool.map(train_and_judge, [data] * len(wanted), *zip(*wanted, strict=True)):
            outcomes.append(outcome)
            sys.stderr.write(_summary(outcome))
    return outcomes


def _row(kind: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "model": {"gmf": "GMF", "mlp": "MLP", "neumf": "NeuMF"}[kind],
        "seeds": len(outcomes),
        **_figures([made.validation for made in outcomes], [made.test for made in outcomes]),
        "parameters": outcomes[0].parameters,
        "seconds": float(np.mean([made.seconds for made in outcomes])),
        "cpu seconds": float(np.mean([made.cpu_seconds for made in outcomes])),
        "rows/s": float(np.mean([made.rows_per_second for made in outcomes])),
    }


def _figures(validation: Sequence[Ranking], test: Sequence[Ranking]) -> dict[str, Any]:
    """Return means and, of several seeds, standard deviations."""
    found: dict[str, Any] = {}
    for name in ("hr", "ndcg"):
        values = [getattr(made, name) for made in test]
        found[f"{name}@10"] = float(np.mean(values))
        found[f"{name} sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else ""
    for name in ("hr", "ndcg"):
        found[f"validation {name}@10"] = float(np.mean([getattr(made, name) for made in validation]))
    return found


def _summary(made: Outcome) -> str:
    return (
        f"{made.kind} seed {made.seed}: HR@10 {made.test.hr:.4f}, NDCG@10 {made.test.ndcg:.4f} "
        f"(validation {made.validation.hr:.4f}, {made.validation.ndcg:.4f}); "
        f"{made.seconds:.0f} s, {made.rows_per_second:,.0f} rows/s\n"
    )


def _logged(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for made in outcomes:
        yield _summary(made)
        yield from (f"  {line}\n" for line in made.log)
