"""How contenders are timed.

A block is the batches of one contender, each call timed by itself; a round is one block of every
contender. The first round is dropped; a figure is the median over all calls of the others.

Before each timed call comes a small parallel operation of torch, not timed, so that every contender
finds the threads and the cores awake. Without it those that follow FBGEMM pay for waking them: the
CPU wheel of FBGEMM 1.8.0 runs on one thread, and meanwhile torch's other threads fall asleep.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Final

import torch

from benchmarks.embedding.ids import BATCHES

Call = Callable[[int], object]
"""Does the work of the batch of that number, from 0."""

LEAST_ROUNDS: Final = 4
MOST_ROUNDS: Final = 25


def interleave(calls: Mapping[str, Call], *, seconds: float) -> dict[str, float]:
    """Return the median time of each call, in milliseconds.

    Args:
        calls: by name, in the order of a round.
        seconds: no round starts after that, except for the first ``LEAST_ROUNDS``.
    """
    square = torch.ones(512, 512)
    times: dict[str, list[float]] = {name: [] for name in calls}
    started = time.perf_counter()
    for number in range(MOST_ROUNDS):
        if number >= LEAST_ROUNDS and time.perf_counter() - started > seconds:
            break
        for name, call in calls.items():
            for batch in range(BATCHES):
                torch.mm(square, square)
                before = time.perf_counter()
                call(batch)
                elapsed = time.perf_counter() - before
                if number > 0:
                    times[name].append(elapsed * 1e3)
    return {name: statistics.median(found) for name, found in times.items()}
