"""Checked lookups: what they find, and what they cost.

Found: the share of single flipped bits that are reported, for each format and shape of bag. ``row_*``: a
random bit of a random looked-up row, its scale and bias included; ``result_*``: a random bit of a pooled
float32. ``all`` are all flips; ``significant`` those that change a number of the row (the pooled number)
by more than 1e-3 of itself; ``high_bits`` those of a result's sign, exponent and upper 7 bits of fraction
(the paper, arXiv 2103.00130, calls the upper half of the bits significant).

Cost: forward with and without checksums, on the same rows and ids, one after the other within each round;
medians over the rounds, in milliseconds. ``overhead`` is the median of the rounds' own ratios, less one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor

from benchmarks._flips import Trials, draw_table
from benchmarks.embedding._hotrow import arranged
from benchmarks.embedding.ids import BATCHES, draw
from benchmarks.embedding.shapes import ROWS, Shape, alike
from hotrow.embedding import EmbeddingTables, TableConfig
from hotrow.kernels.row_formats import RowFormat
from hotrow.types import Jagged

TRIALS = 4000
SOUND_BAGS = 60_000  # of each format and shape: more than a million in all
ROUNDS = 30
WARM_UP = 3
BAGS = ((64, 1), (32, 80), (128, 20))
SHAPES = tuple(
    alike(tables, width, batch, bag, alpha)
    for tables, width, batch, bag in (
        (26, 64, 2048, 1),
        (8, 32, 256, 80),
        (10, 128, 512, 20),
        (26, 16, 2048, 1),
    )
    for alpha in (1.05, 0.0)
)
_SQUARE = torch.ones(512, 512)
FORMATS: tuple[RowFormat, ...] = ("int8", "fp32")


def run() -> dict[str, object]:
    """Return shares found, failures of sound lookups, and times."""
    found, bags, failures = {}, 0, 0
    for row_format in get_args(RowFormat):
        for number, (width, bag) in enumerate(BAGS):
            trials = Trials(row_format, width, bag, seed=number)
            found[f"{row_format} D{width} L{bag}"] = trials.of_rows(TRIALS) | trials.of_results(TRIALS)
            failures += trials.sound(SOUND_BAGS)
            bags += SOUND_BAGS
    cost = {f"{shape.name} {form}": _cost(shape, form) for shape in SHAPES for form in FORMATS}
    return {
        "found": found,
        "sound_bags": bags,
        "sound_lookups_failed": failures,
        "cost": cost,
        "threads": torch.get_num_threads(),
    }


def _cost(shape: Shape, row_format: RowFormat) -> dict[str, float]:
    configs = [
        TableConfig(name=str(t), rows=ROWS, width=shape.width, format=row_format) for t in range(shape.tables)
    ]
    first = draw_table(row_format, ROWS, shape.width)
    weights = {config.name: first.clone() for config in configs}
    plain = EmbeddingTables.from_weights(configs, weights)
    made: list[EmbeddingTables] = []
    build_ms = _timed(lambda: made.append(EmbeddingTables.from_weights(configs, weights, checksums=True)))
    batches = [arranged(shape, ids) for ids in draw(shape)]
    times = [_round(plain, made[0], batches[number % BATCHES]) for number in range(WARM_UP + ROUNDS)]
    times = times[WARM_UP:]
    return {
        "plain_ms": statistics.median(before for before, _ in times),
        "checked_ms": statistics.median(after for _, after in times),
        "overhead": statistics.median(after / before for before, after in times) - 1,
        "make_checksums_gb_per_s": sum(weight.nbytes for weight in weights.values()) / build_ms / 1e6,
    }


def _round(plain: EmbeddingTables, checked: EmbeddingTables, ids: Jagged | Tensor) -> tuple[float, float]:
    with torch.no_grad():
        return _timed(lambda: plain(ids)), _timed(lambda: checked(ids))


def _timed(call: Callable[[], object]) -> float:
    """Return the milliseconds that a call takes, after one of torch that wakes all threads."""
    torch.mm(_SQUARE, _SQUARE)
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3
