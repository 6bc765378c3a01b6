"""What the operator is made of.

Shapes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from torch import Tensor

WEIGHT_LEVELS: Final = 64
"""The largest weight. Processors without VNNI add products in pairs with 16 bits, in which 2 * 64 * 255 fits
and 2 * 127 * 255 would saturate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Int8Layer:
    """One layer.

    Attributes:
        weights: w, (O, I) int8.
        multiplier: (O,) float32.
        constant: (O,) float32.
        relu: whether ReLU follows.
        steps: of its inputs: how many make 1; a float32.
        start: likewise, the q of 0 and a half.
    """

    weights: Tensor
    multiplier: Tensor
    constant: Tensor
    relu: bool
    steps: float
    start: float


Run = Callable[[Tensor], Tensor]
"""(B, I of the first layer) float32 to (B, O of the last) float32."""


class Implementation(Protocol):
    """What a backend offers; shapes and dtypes have been checked."""

    def prepare(self, layers: Sequence[Int8Layer]) -> Run:
        """Return the layers as one function."""
