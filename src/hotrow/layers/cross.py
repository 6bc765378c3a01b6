"""Cross network of DCN-v2 (arXiv 2008.13535, section 3.2 and, of low rank, 3.4).

Shapes: B batch, W width of the crossed vector, R rank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hotrow.layers.half import HalfProducts
from hotrow.layers.initial import xavier_linear


class CrossNetwork(HalfProducts):
    """Crosses of a vector with itself: x_{l+1} = x_0 * (U_l V_l x_l + b_l) + x_l.

    V_l is (R, W) and U_l (W, R); with full rank U_l V_l is one (W, W) matrix. After L crosses every
    element is a polynomial of degree up to L + 1. Weights start as ``xavier_normal``, biases at 0.

    Args:
        width: W.
        layers: L.
        rank: R, or None for full rank.
        generator: source of the initial weights.
    """

    def __init__(self, width: int, layers: int, rank: int | None, *, generator: torch.Generator) -> None:
        super().__init__()
        self.crosses = nn.ModuleList(_matrix(width, rank, generator) for _ in range(layers))

    def forward(self, x_BW: Tensor) -> Tensor:
        """Map (B, W) to (B, W)."""
        y_BW = x_BW
        for cross in self.crosses:
            y_BW = torch.addcmul(y_BW, x_BW, self.product(cross, y_BW))
        return y_BW


def cross_flop(width: int, layers: int, rank: int | None) -> int:
    """Return the floating-point operations of one example: matrix products, and a multiply-add of W."""
    weights = width * width if rank is None else 2 * width * rank
    return layers * 2 * (weights + width)


def cross_parameters(width: int, layers: int, rank: int | None) -> int:
    """Return the number of weights and biases."""
    return layers * ((width if rank is None else 2 * rank) + 1) * width


def _matrix(width: int, rank: int | None, generator: torch.Generator) -> nn.Module:
    if rank is None:
        return xavier_linear(width, width, generator)
    down = xavier_linear(width, rank, generator, bias=False)
    return nn.Sequential(down, xavier_linear(rank, width, generator))
