"""The dot interaction in C++ (csrc/interact.cpp): float32 and bfloat16 in host memory."""

from __future__ import annotations

import torch
from torch import Tensor

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.interact.reference import num_pairs

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def forward(x_BFD: Tensor) -> Tensor:
    """Return x_0 beside the lower triangle of X X^T: (B, D + P)."""
    note_path("dot_interaction_forward", "cpu")
    x_BFD = x_BFD.contiguous()
    batch, vectors, width = x_BFD.shape
    dtype = x_BFD.dtype
    out = torch.empty((batch, width + num_pairs(vectors)), dtype=dtype, device="cpu")
    _kernels.dot_interaction_forward(
        x_BFD.data_ptr(),
        out.data_ptr(),
        batch,
        vectors,
        width,
        dtype == torch.bfloat16,
        torch.get_num_threads(),
    )
    return out


def backward(grad: Tensor, x_BFD: Tensor) -> Tensor:
    """Return the gradient of x: (B, F, D)."""
    note_path("dot_interaction_backward", "cpu")
    grad, x_BFD = grad.contiguous(), x_BFD.contiguous()
    batch, vectors, width = x_BFD.shape
    grad_x_BFD = torch.empty_like(x_BFD)
    _kernels.dot_interaction_backward(
        grad.data_ptr(),
        x_BFD.data_ptr(),
        grad_x_BFD.data_ptr(),
        batch,
        vectors,
        width,
        x_BFD.dtype == torch.bfloat16,
        torch.get_num_threads(),
    )
    return grad_x_BFD
