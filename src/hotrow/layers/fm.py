"""Factorisation machine of second order (Rendle 2010).

Shapes: B batch, F features (categorical and lists), N dense features, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FactorisationMachine(nn.Module):
    """Sum of the dot products of all pairs of F vectors and N scaled ones: sum over i > j of <v_i, v_j>.

    Dense feature n is the vector x_n v_n, v_n being learnt, normal with standard deviation 0.01 at first.
    It is computed as (|sum of v|^2 - sum of |v|^2) / 2, in float32 also where products of matrices are
    not: the two nearly cancel. The N scaled vectors are never made.

    Args:
        num_dense: N, which may be 0.
        width: D.
        generator: source of the initial weights.
    """

    def __init__(self, num_dense: int, width: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.vectors: nn.Parameter | None = None
        if num_dense:
            start = torch.empty(num_dense, width, device="cpu").normal_(0.0, 0.01, generator=generator)
            self.vectors = nn.Parameter(start)

    def forward(self, x_BFD: Tensor, dense_BN: Tensor) -> Tensor:
        """Map (B, F, D) and (B, N) to (B,)."""
        total_BD, squares_B = x_BFD.sum(dim=1), x_BFD.square().sum(dim=(1, 2))
        if self.vectors is not None:
            with torch.autocast(x_BFD.device.type, enabled=False):
                total_BD = total_BD + torch.mm(dense_BN, self.vectors)
                squares_B = squares_B + torch.mv(dense_BN.square(), self.vectors.square().sum(dim=1))
        return 0.5 * (total_BD.square().sum(dim=1) - squares_B)


def fm_flop(features: int, num_dense: int, width: int) -> int:
    """Return the floating-point operations of one example: sums, squares, and the products with N."""
    return width * (3 * features + 2) + num_dense * (2 * width + 3)
