"""Checks, once and here, then the chosen implementation; the eager way through autograd.

torch.library's dispatch costs several times what the interaction of one example does, so only compiled
and exported code takes it (``library``).
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hotrow.kernels.dispatch import Backend, Operator, Selected
from hotrow.kernels.interact.reference import num_pairs


class Implementation(Protocol):
    """What a backend offers; shapes and dtypes have been checked."""

    def forward(self, x_BFD: Tensor) -> Tensor:
        """Return (B, D + P)."""

    def backward(self, grad: Tensor, x_BFD: Tensor) -> Tensor:
        """Return the gradient of x, (B, F, D), from grad (B, D + P)."""


def _load_reference() -> Implementation:
    from hotrow.kernels.interact import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.interact import cpu

    return cpu


def _load_triton() -> Implementation:
    from hotrow.kernels.interact import triton

    return triton


OPERATOR: Operator[Implementation] = Operator(
    "dot_interaction", {"reference": _load_reference, "cpu": _load_cpu, "triton": _load_triton}
)


def dot_interaction(x_BFD: Tensor, *, backend: Backend = "auto") -> Tensor:
    """Return the first vector beside the dot products of all pairs; differentiable once.

    Args:
        x_BFD: F vectors of each example, (B, F, D) with F, D >= 1; float32 or bfloat16, and with
            ``reference`` any floating dtype.
        backend: which implementation runs; ``auto`` goes by the device of ``x_BFD``.

    Returns:
        (B, D + P), P = F (F - 1) / 2: x_0, then the dots of pairs (1, 0), (2, 0), (2, 1), (3, 0), ...

    Raises:
        ConfigError: there is no backend of that name.
        BackendUnavailableError: the backend was named and is not installed.
        ValueError: shape, dtype or device are not what the backend takes.
    """
    if torch.compiler.is_compiling() or type(x_BFD) is not Tensor:
        out: Tensor = torch.ops.hotrow.dot_interaction(x_BFD, backend)
    elif x_BFD.requires_grad and torch.is_grad_enabled():
        out = _DotInteraction.apply(x_BFD, backend)  # type: ignore[no-untyped-call]
    else:
        out = run_forward(x_BFD, backend)
    return out


class _DotInteraction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BFD: Tensor, backend: Backend) -> Tensor:
        ctx.save_for_backward(x_BFD)
        ctx.backend = backend
        return run_forward(x_BFD, backend)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x_BFD,) = ctx.saved_tensors
        return run_backward(grad, x_BFD, ctx.backend), None


def run_forward(x_BFD: Tensor, backend: Backend) -> Tensor:
    """Check and run; see ``dot_interaction``. Not differentiable."""
    check_shape(x_BFD)
    return _implementation(x_BFD, backend).forward(x_BFD)


def run_backward(grad: Tensor, x_BFD: Tensor, backend: Backend) -> Tensor:
    """Return the gradient of x, (B, F, D), from that of the result, (B, D + P); errors as for forward."""
    check_shape(x_BFD)
    shape = (x_BFD.shape[0], x_BFD.shape[2] + num_pairs(x_BFD.shape[1]))
    if grad.shape != shape or grad.dtype != x_BFD.dtype or grad.device != x_BFD.device:
        raise ValueError(
            f"grad: got {tuple(grad.shape)} of {grad.dtype} on {grad.device}, "
            f"expected {shape} of {x_BFD.dtype} on {x_BFD.device}"
        )
    return _implementation(x_BFD, backend).backward(grad, x_BFD)


def check_shape(x_BFD: Tensor) -> None:
    """Raise ValueError where x is not (B, F, D) with F, D >= 1."""
    if x_BFD.ndim != 3 or x_BFD.shape[1] == 0 or x_BFD.shape[2] == 0:
        raise ValueError(f"x: got shape {tuple(x_BFD.shape)}, expected (B, F, D) with F and D at least 1")


def _implementation(x_BFD: Tensor, backend: Backend) -> Implementation:
    device = "cpu" if x_BFD.is_cpu else x_BFD.device.type
    selected = _selected(backend, device)
    if selected.backend == "reference":
        if not x_BFD.is_floating_point():
            raise ValueError(f"x: got {x_BFD.dtype}, expected a floating dtype")
    elif x_BFD.dtype not in (torch.float32, torch.bfloat16):
        raise ValueError(
            f"x: got {x_BFD.dtype}, expected float32 or bfloat16 with the {selected.backend} backend"
        )
    elif selected.backend == "cpu" and device != "cpu":
        raise ValueError(f"x: got a tensor on {x_BFD.device}, expected host memory with the cpu backend")
    return selected.implementation


@cache
def _selected(backend: Backend, device: str) -> Selected[Implementation]:
    return OPERATOR.select(backend, device=device)
