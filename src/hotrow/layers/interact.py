"""DLRM's dot interaction (arXiv 1906.00091, section 2.1.3).

Shapes: B batch, F feature vectors, D their width, P = F (F - 1) / 2 pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DotInteraction(nn.Module):
    """Dot products of all pairs of feature vectors, beside the dense vector.

    For Z = X X^T the output is ``[x_0, Z_10, Z_20, Z_21, Z_30, ...]``: the first vector (the bottom
    network's output) and the lower triangle of Z without its diagonal, row by row.

    Args:
        num_vectors: F, the dense vector included.
    """

    pairs: Tensor

    def __init__(self, num_vectors: int) -> None:
        super().__init__()
        row_P, column_P = torch.tril_indices(num_vectors, num_vectors, offset=-1)
        self.register_buffer("pairs", row_P * num_vectors + column_P, persistent=False)

    def forward(self, x_BFD: Tensor) -> Tensor:
        """Map (B, F, D) to (B, D + P)."""
        z_BFF = torch.bmm(x_BFD, x_BFD.transpose(1, 2))
        z_BP = z_BFF.flatten(1).index_select(1, self.pairs)
        return torch.cat([x_BFD[:, 0], z_BP], dim=1)


def num_pairs(num_vectors: int) -> int:
    """Return P, the number of pairs of different vectors."""
    return num_vectors * (num_vectors - 1) // 2
