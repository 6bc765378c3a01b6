"""Types that cross package borders.

Shape letters, used in names and docstrings throughout: B batch, T tables, F features,
L lookups, E rows of a table, D embedding width, N dense features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of encoded examples, ready for a model.

    Attributes:
        dense: (B, N) float32, already transformed.
        ids: (B, F) int32, one row id per categorical feature; 0 is unseen/rare, 1 is missing.
        labels: (B,) float32 in {0, 1}, or None when ranking.
    """

    dense: Tensor
    ids: Tensor
    labels: Tensor | None = None

    def __len__(self) -> int:
        return int(self.dense.shape[0])


@dataclass(frozen=True, slots=True)
class Jagged:
    """Variable-length bags of ids of F features, feature-major (the layout of TorchRec's KJT).

    Attributes:
        ids: (L,) int32 or int64; all bags of feature 0, then of feature 1, ...
        offsets: (F * B + 1,) int64; bag b of feature f is ``ids[offsets[f*B+b] : offsets[f*B+b+1]]``.
        weights: (L,) float32, what each looked-up row is multiplied by, or None.
    """

    ids: Tensor
    offsets: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a model must know of its data: how many dense features, and the tables' sizes.

    Attributes:
        num_dense: N.
        names: names of the F categorical features, in column order.
        rows: E of each feature's table.
    """

    num_dense: int
    names: tuple[str, ...]
    rows: tuple[int, ...]
