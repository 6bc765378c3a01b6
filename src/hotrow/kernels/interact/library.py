"""The dot interaction as operators of torch, which ``torch.compile`` and ``torch.export`` pass through."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from hotrow.kernels.dispatch import Backend
from hotrow.kernels.interact._op import check_shape, run_backward, run_forward
from hotrow.kernels.interact.reference import num_pairs


@torch.library.custom_op(
    "hotrow::dot_interaction", mutates_args=(), schema='(Tensor x, str backend="auto") -> Tensor'
)
def forward_op(x_BFD: Tensor, backend: str = "auto") -> Tensor:
    """Map (B, F, D) to (B, D + P); see ``dot_interaction``."""
    return run_forward(x_BFD, cast(Backend, backend))


@torch.library.custom_op(
    "hotrow::dot_interaction_backward",
    mutates_args=(),
    schema='(Tensor grad, Tensor x, str backend="auto") -> Tensor',
)
def backward_op(grad: Tensor, x_BFD: Tensor, backend: str = "auto") -> Tensor:
    """Map grad (B, D + P) and x (B, F, D) to the gradient of x."""
    return run_backward(grad, x_BFD, cast(Backend, backend))


@forward_op.register_fake
def _(x_BFD: Tensor, backend: str = "auto") -> Tensor:
    check_shape(x_BFD)
    batch, vectors, width = x_BFD.shape
    return x_BFD.new_empty((batch, width + num_pairs(vectors)))


@backward_op.register_fake
def _(grad: Tensor, x_BFD: Tensor, backend: str = "auto") -> Tensor:
    return x_BFD.new_empty(x_BFD.shape)


def _set_up(ctx: Any, inputs: tuple[Tensor, str], output: Tensor) -> None:
    x_BFD, ctx.backend = inputs
    ctx.save_for_backward(x_BFD)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    (x_BFD,) = ctx.saved_tensors
    return torch.ops.hotrow.dot_interaction_backward(grad, x_BFD, ctx.backend), None


forward_op.register_autograd(_backward, setup_context=_set_up)
