"""What the operator is made of.

Shapes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Fp32Layer:
    """One layer.

    Attributes:
        weights: w, (O, I) float32.
        bias: b, (O,) float32.
        relu: whether ReLU follows.
    """

    weights: Tensor
    bias: Tensor
    relu: bool


Run = Callable[[Tensor, Tensor | None], Tensor]
"""(B, I of the first layer) float32 to (B, O of the last) float32, in the second if it is given."""


class Implementation(Protocol):
    """What a backend offers; shapes and dtypes have been checked."""

    def prepare(self, layers: Sequence[Fp32Layer]) -> Run:
        """Return the layers, as they are now, as one function."""
