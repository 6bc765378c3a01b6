"""The dot interaction in plain PyTorch: the specification, and the fallback without compiled kernels."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from hotrow.kernels.dispatch import note_path


def num_pairs(vectors: int) -> int:
    """Return P, the number of pairs of different vectors out of F."""
    return vectors * (vectors - 1) // 2


def forward(x_BFD: Tensor) -> Tensor:
    """Return x_0 beside the lower triangle of X X^T: (B, D + P)."""
    note_path("dot_interaction_forward", "reference")
    wide_BFD = _widened(x_BFD)
    pair_of_P, _ = _places(x_BFD.shape[1], x_BFD.device)
    z_BP = torch.bmm(wide_BFD, wide_BFD.mT).flatten(1).index_select(1, pair_of_P)
    return torch.cat([x_BFD[:, 0], z_BP.to(x_BFD.dtype)], dim=1)


def backward(grad: Tensor, x_BFD: Tensor) -> Tensor:
    """Return G X for the symmetric G of the pairs' gradients, and x_0's own added to it: (B, F, D)."""
    note_path("dot_interaction_backward", "reference")
    batch, vectors, width = x_BFD.shape
    wide = _widened(grad)
    _, place_of = _places(vectors, x_BFD.device)
    padded = torch.nn.functional.pad(wide[:, width:], (0, 1))
    symmetric_BFF = padded.index_select(1, place_of).view(batch, vectors, vectors)
    grad_x_BFD = torch.bmm(symmetric_BFF, _widened(x_BFD))
    grad_x_BFD[:, 0] += wide[:, :width]
    return grad_x_BFD.to(x_BFD.dtype)


def _widened(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


@cache
def _places(vectors: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the places of pairs in a flat (F, F), and of its entries among the pairs; P is the diagonal."""
    pairs = num_pairs(vectors)
    row_P, column_P = torch.tril_indices(vectors, vectors, offset=-1, device=device)
    place_FF = torch.full((vectors, vectors), pairs, device=device)
    place_FF[row_P, column_P] = place_FF[column_P, row_P] = torch.arange(pairs, device=device)
    return row_P * vectors + column_P, place_FF.flatten()
