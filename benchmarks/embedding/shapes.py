"""What is looked up: tables, bags and batch sizes.

Shapes: B batch, T tables, L ids of a bag, E rows of a table, D its width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ROWS: Final = 500_000
MODEL_BATCH: Final = 256
MODEL_BYTES: Final = 1536 << 20
"""A model's float32 tables are shrunk to this: three contenders and the bandwidth buffer fit in 6 GiB."""


@dataclass(frozen=True)
class Shape:
    """T tables of one width, each with a bag of a fixed length.

    Attributes:
        name: how results call it.
        rows: E of each table.
        bags: L of each table.
        width: D.
        batch: B.
        alpha: exponent of the Zipf law of the ids; 0 is uniform.
    """

    name: str
    rows: tuple[int, ...]
    bags: tuple[int, ...]
    width: int
    batch: int
    alpha: float

    @property
    def tables(self) -> int:
        """T."""
        return len(self.rows)

    @property
    def lookups(self) -> int:
        """Rows read for one batch, repeated ones included."""
        return self.batch * sum(self.bags)

    @property
    def one_id_each(self) -> bool:
        """Whether every bag holds a single id."""
        return set(self.bags) == {1}


def alike(tables: int, width: int, batch: int, bag: int, alpha: float, *, rows: int = ROWS) -> Shape:
    """Return a shape whose tables are all alike."""
    name = f"T{tables} D{width} B{batch} L{bag} alpha {alpha:g}"
    return Shape(name, (rows,) * tables, (bag,) * tables, width, batch, alpha)


def model(name: str, rows: dict[int, int], bags: tuple[int, ...], width: int) -> Shape:
    """Return the tables of a DeepRecSys model, all shrunk alike until they fit ``MODEL_BYTES``.

    Args:
        name: the model.
        rows: how many tables there are of each number of rows.
        bags: L of each table, or one for all.
        width: D.
    """
    tables = [size for size, count in rows.items() for _ in range(count)]
    share = min(1.0, MODEL_BYTES / (sum(tables) * width * 4))
    kept = tuple(round(size * share) for size in tables)
    each = bags * len(kept) if len(bags) == 1 else bags
    return Shape(f"{name} ({share:.0%} of rows)", kept, each, width, MODEL_BATCH, 1.05)


TRAINING: Final = (
    alike(26, 16, 2048, 1, 1.05),
    alike(26, 64, 2048, 1, 1.05),
    alike(26, 64, 2048, 1, 0),
    alike(8, 32, 256, 80, 1.05),
    alike(8, 32, 256, 80, 0),
    alike(10, 128, 512, 20, 0),
)

VARIED: Final = (
    alike(26, 16, 2048, 1, 1.05),
    alike(8, 32, 256, 80, 1.05),
    alike(10, 128, 512, 20, 0, rows=250_000),  # exact Adagrad doubles every contender's memory
)

LOWBIT: Final = (
    alike(26, 64, 2048, 1, 1.05),
    alike(8, 32, 256, 80, 1.05),
    alike(8, 64, 256, 80, 0),
    alike(10, 128, 512, 20, 0),
)

DEEPRECSYS: Final = (
    model("DLRM-RMC1", {4_000_000: 8}, (80,), 32),
    model("DLRM-RMC2", {500_000: 32}, (120,), 64),
    model("DLRM-RMC3", {2_000_000: 10}, (20,), 32),
    model("NCF", {140_000: 2, 28_000: 2}, (1,), 64),
    model("Wide & Deep", {1_000_000: 27}, (1,), 32),
    model("MT-Wide & Deep, DIEN", {500_000: 41, 5_000_000: 2}, (1,), 32),
    model("DIN", {1_000_000: 1, 100_000: 1, 10_000_000: 2}, (3, 250, 3, 3), 32),
)
"""Tables of the eight models of DeepRecSys (Gupta et al., ISCA 2020; harvard-acc/DeepRecSys).

MT-Wide & Deep and DIEN have the same ones. DIN's behaviour table gets the 250 steps of the paper.
"""
