"""Rows of a synthetic Criteo log, before they have a label or a text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotrow.synth.criteo_tables import IDS, INTEGERS, MISSING
from hotrow.synth.laws import LEVELS

CHUNK_ROWS = 1 << 15
"""Rows drawn at a time, each chunk from a generator of its own."""

MISSING_LEVEL = LEVELS
"""Level of an absent integer; present ones have a level below it."""

NESTED = (
    ("C3", "C4", "C12", "C16", "C21", "C24"),
    ("C7", "C11", "C13"),
    ("C2", "C15", "C18"),
    ("C19", "C20", "C25", "C26"),
)
"""Columns that are finer and coarser views of one thing: in the sample, two rows with the same id in
the finest column have the same id in the others in 92% to 100% of the cases."""

_CALIBRATION = 1 << 63


@dataclass(frozen=True, slots=True)
class RowChunk:
    """Consecutive rows.

    Attributes:
        levels: (13, B) int32, the quantile of each integer, or ``MISSING_LEVEL``.
        ranks: (26, B) int32, the popularity rank of each id; the feature's number of ids where missing.
        coins: (B,) float64, uniform: a row is a click where its coin is below its probability.
    """

    levels: NDArray[np.int32]
    ranks: NDArray[np.int32]
    coins: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.coins)

    def rows(self, start: int, stop: int) -> RowChunk:
        """Return some of the rows."""
        part = slice(start, stop)
        return RowChunk(self.levels[:, part], self.ranks[:, part], self.coins[part])


def draw_rows(seed: int, chunk: int, *, calibration: bool = False) -> RowChunk:
    """Draw the ``CHUNK_ROWS`` rows of a chunk: a pure function of its arguments.

    Columns are independent but for two things seen in the real log: the columns of one entry of
    ``MISSING`` are absent together, and those of one entry of ``NESTED`` share the row's quantile, so
    that a popular id of one comes with popular ids of the others.

    Args:
        seed: of the log, 0 <= seed < 2^64.
        chunk: number of the chunk.
        calibration: draw rows of the same distribution that are never part of a log.
    """
    key = np.array([seed, chunk + (_CALIBRATION if calibration else 0)], dtype=np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key))
    coins = generator.random(CHUNK_ROWS)
    levels = generator.integers(0, LEVELS, (len(INTEGERS), CHUNK_ROWS), dtype=np.uint16).astype(np.int32)
    ranks = np.empty((len(IDS), CHUNK_ROWS), dtype=np.int32)
    position = {name: index for index, name in enumerate((*INTEGERS, *IDS))}
    for group in _quantile_groups():
        u = generator.random(CHUNK_ROWS)
        for name in group:
            ranks[position[name] - len(INTEGERS)] = IDS[name].ranks(u)
    for names, rate in MISSING:
        absent = generator.random(CHUNK_ROWS, dtype=np.float32) < rate
        for name in names:
            if name in INTEGERS:
                levels[position[name], absent] = MISSING_LEVEL
            else:
                ranks[position[name] - len(INTEGERS), absent] = IDS[name].rows
    return RowChunk(levels, ranks, coins)


def _quantile_groups() -> list[tuple[str, ...]]:
    nested = {name for group in NESTED for name in group}
    return [*NESTED, *((name,) for name in IDS if name not in nested)]
