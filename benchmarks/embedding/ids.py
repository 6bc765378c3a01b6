"""The batches that all contenders look up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.embedding.shapes import Shape

BATCHES: Final = 8


@dataclass(frozen=True)
class Ids:
    """One batch, table-major.

    Attributes:
        flat: (L,) int64, rows of each id's own table.
        offsets: (T * B + 1,) int64; bag b of table t is ``flat[offsets[t*B+b] : offsets[t*B+b+1]]``.
        of_table: for each table its part of ``flat``.
    """

    flat: Tensor
    offsets: Tensor
    of_table: tuple[Tensor, ...]


def draw(shape: Shape) -> list[Ids]:
    """Draw ``BATCHES`` batches with repetition by Zipf's law, popular rows scattered over the table."""
    rng = np.random.default_rng(0)
    chances = {rows: _cumulated(rows, shape.alpha) for rows in shape.rows}
    places = {rows: rng.permutation(rows) for rows in shape.rows}
    bags = np.repeat(shape.bags, shape.batch)
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(bags)]))
    batches = []
    for _ in range(BATCHES):
        parts = [
            places[rows][np.searchsorted(chances[rows], rng.random(shape.batch * bag))]
            for rows, bag in zip(shape.rows, shape.bags, strict=True)
        ]
        of_table = tuple(torch.from_numpy(part) for part in parts)
        batches.append(Ids(torch.cat(of_table), offsets, of_table))
    return batches


def _cumulated(rows: int, alpha: float) -> NDArray[np.float64]:
    """Return the chance of a rank of at most each, so that the last is 1 exactly."""
    sums = np.cumsum(1.0 / np.arange(1, rows + 1) ** alpha)
    return np.asarray(sums / sums[-1], dtype=np.float64)
