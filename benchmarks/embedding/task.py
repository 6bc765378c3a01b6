"""What the contenders of the training suite have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from torch import Tensor

from benchmarks.embedding.shapes import Shape

RATE: Final = 0.01
EPSILON: Final = 1e-8


@dataclass(frozen=True)
class Task:
    """How the tables of a shape are stored, pooled and trained.

    Attributes:
        shape: of the tables.
        optimizer: its kind.
        format: of the rows.
        stochastic: whether hotrow rounds fp16 rows stochastically, as is its default; FBGEMM rounds to
            nearest on the CPU whatever it is asked for.
        pooled: whether bags are summed.
    """

    shape: Shape
    optimizer: Literal["rowwise_adagrad", "adagrad", "sgd"] = "rowwise_adagrad"
    format: Literal["fp32", "fp16"] = "fp32"
    stochastic: bool = False
    pooled: bool = True

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.shape.width * (2 if self.format == "fp16" else 4)


class Contender(Protocol):
    """A library's tables for one task, with the batches in the form that suits it."""

    def look_up(self, batch: int) -> tuple[Tensor, ...]:
        """Return (B, T * D); without pooling (L, D), or each table's part of it if that saves a copy."""

    def update(self, out: tuple[Tensor, ...], direction: Tensor) -> None:
        """Run backward with that gradient of the whole of ``out``, and the optimizer."""
