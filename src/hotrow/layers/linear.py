"""The linear part of wide & deep models and factorisation machines.

Shapes: B batch, F features (categorical and lists), N dense features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearTerm(nn.Module):
    """One weight for each id, looked up in tables of width 1, and for each dense feature: sum of w_i x_i.

    The weights of the dense features start at 0. It has no bias: what it is added to has one.

    Args:
        num_dense: N, which may be 0.
    """

    def __init__(self, num_dense: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_dense, device="cpu")) if num_dense else None

    def forward(self, looked_up_BF: Tensor, dense_BN: Tensor) -> Tensor:
        """Map weights of ids (B, F) and dense features (B, N) to (B,)."""
        total = looked_up_BF.sum(dim=1)
        return total if self.weight is None else total + torch.mv(dense_BN, self.weight)
