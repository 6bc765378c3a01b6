"""How fast both libraries train the same models: epochs in turns, with all threads; medians."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from benchmarks.ctr.columns import describe
from benchmarks.ctr.data import prepared
from benchmarks.ctr.fuxi import peer_rates
from benchmarks.ctr.ours import our_rate
from benchmarks.ctr.setup import SAME, Setup

ROUNDS = 5


def run(setup: Setup | None = None) -> dict[str, Any]:
    """Time every pair; samples/s, and how many times as fast hotrow is."""
    setup = setup or Setup()
    found: dict[str, dict[str, list[float]]] = {theirs: {} for theirs in SAME}
    with prepared() as (folder, dataset):
        columns = describe(dataset)
        for _ in range(ROUNDS):
            for theirs, mine in SAME.items():
                peer = peer_rates(theirs, columns, folder, setup)
                rates = {"hotrow": our_rate(mine, dataset, setup), "loop": peer.loop, "step": peer.step}
                for what, rate in rates.items():
                    found[theirs].setdefault(what, []).append(rate)
    return {
        "threads": torch.get_num_threads(),
        "rounds": ROUNDS,
        "models": [_summary(model, rates) for model, rates in found.items()],
    }


def _summary(model: str, rates: dict[str, list[float]]) -> dict[str, Any]:
    ours, loop, step = (statistics.median(rates[what]) for what in ("hotrow", "loop", "step"))
    return {
        "model": model,
        "hotrow_samples_per_second": ours,
        "fuxictr_samples_per_second": loop,
        "fuxictr_step_samples_per_second": step,
        "times_as_fast": ours / loop,
        "times_as_fast_as_its_step": ours / step,
    }
