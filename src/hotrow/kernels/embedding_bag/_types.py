"""What the implementations of the lookup agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

OptimizerKind = Literal["sgd", "rowwise_adagrad"]


@dataclass(frozen=True, slots=True)
class Bags:
    """Ids of all tables in one of two layouts.

    Attributes:
        ids: (B, T) with one id per bag when ``offsets`` is None, else (L,) table-major.
        offsets: (T * B + 1,) int64, or None; bag b of table t is ``ids[offsets[t*B+b] : offsets[t*B+b+1]]``.
        num_tables: T.
    """

    ids: Tensor
    offsets: Tensor | None
    num_tables: int

    @property
    def batch_size(self) -> int:
        """B."""
        if self.offsets is None:
            return int(self.ids.shape[0])
        return (int(self.offsets.numel()) - 1) // self.num_tables if self.num_tables else 0


@dataclass(frozen=True, slots=True)
class Update:
    """One optimizer step on the rows that a batch touched.

    ``sgd``: row -= lr * g. ``rowwise_adagrad`` (FBGEMM's EXACT_ROWWISE_ADAGRAD): state += mean over
    D of g**2, then row -= lr * g / (sqrt(state) + eps). g is the sum of the row's gradients over the
    whole batch, so a row is updated once however often it occurs.
    """

    kind: OptimizerKind
    lr: float
    eps: float


class Implementation(Protocol):
    """The two functions that every backend of ``embedding_bag`` has."""

    def forward(self, weights: Sequence[Tensor], bags: Bags) -> Tensor:
        """Return the sums of the bags' rows, (B, sum of D); empty bag -> zeros."""

    def backward_update(
        self, weights: Sequence[Tensor], states: Sequence[Tensor], bags: Bags, grad: Tensor, update: Update
    ) -> None:
        """Update ``weights`` and ``states`` in place, given the gradient (B, sum of D) of ``forward``."""


class BadIdError(Exception):
    """Raised by an implementation for the first id outside its table; the caller names the table."""

    def __init__(self, table: int, bad_id: int) -> None:
        self.table = table
        self.bad_id = bad_id
        super().__init__(table, bad_id)
