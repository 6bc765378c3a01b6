"""DLRM's dot interaction (arXiv 1906.00091, section 2.1.3).

Shapes: B batch, F feature vectors, D their width, P = F (F - 1) / 2 pairs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class DotInteraction(nn.Module):
    """Dot products of all pairs of feature vectors, beside the dense vector.

    For Z = X X^T the output is ``[x_0, Z_10, Z_20, Z_21, Z_30, ...]``: the first vector (the bottom
    network's output) and the lower triangle of Z without its diagonal, row by row.

    Args:
        num_vectors: F, the dense vector included.
    """

    pair_of: Tensor
    place_of: Tensor

    def __init__(self, num_vectors: int) -> None:
        super().__init__()
        pairs = num_pairs(num_vectors)
        row_P, column_P = torch.tril_indices(num_vectors, num_vectors, offset=-1)
        # Place P stands for the diagonal, whose gradient is zero.
        place_FF = torch.full((num_vectors, num_vectors), pairs)
        place_FF[row_P, column_P] = place_FF[column_P, row_P] = torch.arange(pairs)
        self.register_buffer("pair_of", row_P * num_vectors + column_P, persistent=False)
        self.register_buffer("place_of", place_FF.flatten(), persistent=False)

    def forward(self, x_BFD: Tensor) -> Tensor:
        """Map (B, F, D) to (B, D + P)."""
        z_BP = _pair_products(x_BFD, self.pair_of, self.place_of)
        return torch.cat([x_BFD[:, 0], z_BP], dim=1)


def num_pairs(num_vectors: int) -> int:
    """Return P, the number of pairs of different vectors."""
    return num_vectors * (num_vectors - 1) // 2


def _pair_products(x_BFD: Tensor, pair_of_P: Tensor, place_of: Tensor) -> Tensor:
    z_BP: Tensor = _PairProducts.apply(x_BFD, pair_of_P, place_of)  # type: ignore[no-untyped-call]
    return z_BP


class _PairProducts(torch.autograd.Function):
    """Lower triangle of X X^T, (B, P).

    The gradient of X is (G + G^T) X for G of shape (B, F, F); autograd would scatter G and take two
    products, where one gather of the symmetric matrix and one product do.
    """

    @staticmethod
    def forward(ctx: Any, x_BFD: Tensor, pair_of_P: Tensor, place_of: Tensor) -> Tensor:
        ctx.save_for_backward(x_BFD, place_of)
        return torch.bmm(x_BFD, x_BFD.transpose(1, 2)).flatten(1).index_select(1, pair_of_P)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BP: Tensor) -> tuple[Tensor, None, None]:
        x_BFD, place_of = ctx.saved_tensors
        batch, vectors, _ = x_BFD.shape
        padded = torch.nn.functional.pad(grad_BP, (0, 1))
        symmetric_BFF = padded.index_select(1, place_of).view(batch, vectors, vectors)
        return torch.bmm(symmetric_BFF, x_BFD), None, None
