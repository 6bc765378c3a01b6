"""Steps of histories of any length, side by side: sums, softmax and queries, without padding.

Everything here takes time and memory in proportion to L, whatever the longest history. A sum over each
row's steps and the copy of a row's vector to its steps are each other's adjoint, so each is the other's
gradient, and neither needs a scatter. A compiler is given plain operators instead, which it fuses itself.
Results do not depend on the number of threads.

Shapes: B batch (rows), L steps of all rows, D width. Differentiable once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Which steps are whose.

    Attributes:
        offsets: (B + 1,) int64; row b's steps are ``offsets[b]`` up to ``offsets[b + 1]``.
        rows: (L,) int64, the row of each step.
        steps: (L,) int64, 0, 1, ..., L - 1.
    """

    offsets: Tensor
    rows: Tensor
    steps: Tensor

    @property
    def lengths(self) -> Tensor:
        """Steps of each row, (B,) int64."""
        return self.offsets.diff()


def make_segments(offsets_B1: Tensor, steps: int) -> Segments:
    """Return the segments of B rows.

    Args:
        offsets_B1: (B + 1,) int64, rising from 0 to ``steps``.
        steps: L; given, so that nothing waits for the offsets' values.
    """
    lengths = offsets_B1.diff()
    rows = torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths, output_size=steps)
    return Segments(offsets_B1, rows, torch.arange(steps, device=lengths.device))


def segment_sum(x_LD: Tensor, segments: Segments, weights_L: Tensor | None = None) -> Tensor:
    """Return the sum of each row's steps, each times its weight, (B, D); zeros of a row without steps."""
    if weights_L is not None:
        weights_L = weights_L.to(x_LD.dtype)
    if torch.compiler.is_compiling():
        terms_LD = x_LD if weights_L is None else x_LD * weights_L.unsqueeze(1)
        sums_BD = x_LD.new_zeros(segments.offsets.shape[0] - 1, x_LD.shape[1])
        return sums_BD.index_add(0, segments.rows, terms_LD)
    out: Tensor = _Sum.apply(x_LD, weights_L, segments.offsets, segments.rows, segments.steps)  # type: ignore[no-untyped-call]
    return out


def segment_mean(x_LD: Tensor, segments: Segments) -> Tensor:
    """Return the mean of each row's steps, (B, D); zeros of a row without steps."""
    lengths = segments.lengths.clamp(min=1).to(x_LD.dtype)
    return segment_sum(x_LD, segments) / lengths.unsqueeze(1)


def segment_softmax(x_L: Tensor, segments: Segments) -> Tensor:
    """Return weights that are in proportion to exp(x) and sum to 1 over each row's steps, (L,)."""
    x_L = x_L.float() if x_L.dtype == torch.bfloat16 else x_L
    rows, of_none = segments.rows, torch.zeros_like(segments.offsets[1:], dtype=x_L.dtype)
    largest_B = of_none.scatter_reduce(0, rows, x_L.detach(), "amax", include_self=False)
    exp_L1 = (x_L - largest_B.index_select(0, rows)).exp().unsqueeze(1)
    return (exp_L1 / to_steps(segment_sum(exp_L1, segments), segments)).squeeze(1)


def to_steps(x_BD: Tensor, segments: Segments) -> Tensor:
    """Return for each step its row's vector, (L, D)."""
    if torch.compiler.is_compiling():
        return x_BD.index_select(0, segments.rows)
    out: Tensor = _ToSteps.apply(x_BD, segments.offsets, segments.rows, segments.steps)  # type: ignore[no-untyped-call]
    return out


def times_rows(x_LD: Tensor, q_BD: Tensor, segments: Segments) -> Tensor:
    """Return each step's vector times its row's, element by element, (L, D).

    As ``x_LD * to_steps(q_BD)``, of which the copies are not kept for the gradient.
    """
    if torch.compiler.is_compiling():
        return x_LD * q_BD.index_select(0, segments.rows)
    out: Tensor = _TimesRows.apply(x_LD, q_BD, segments.offsets, segments.rows, segments.steps)  # type: ignore[no-untyped-call]
    return out


def _sum(x_LD: Tensor, weights_L: Tensor | None, offsets: Tensor, steps: Tensor) -> Tensor:
    """Sum as a bag of rows does: one pass, the fastest of torch's ways, and no (L, D) product."""
    if x_LD.shape[0] == 0:
        return x_LD.new_zeros(offsets.shape[0] - 1, x_LD.shape[1])
    return F.embedding_bag(
        steps, x_LD, offsets, mode="sum", include_last_offset=True, per_sample_weights=weights_L
    )


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_LD: Tensor, weights_L: Tensor | None, offsets: Tensor, rows: Tensor, steps: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x_LD if weights_L is not None else None, weights_L, rows)
        return _sum(x_LD, weights_L, offsets, steps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BD: Tensor) -> tuple[Tensor | None, ...]:
        x_LD, weights_L, rows = ctx.saved_tensors
        grad_LD = grad_BD.index_select(0, rows)
        if weights_L is None:
            return grad_LD, None, None, None, None
        of_weights = (x_LD * grad_LD).sum(dim=1) if ctx.needs_input_grad[1] else None
        return grad_LD.mul_(weights_L.unsqueeze(1)), of_weights, None, None, None


class _ToSteps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BD: Tensor, offsets: Tensor, rows: Tensor, steps: Tensor) -> Tensor:
        ctx.save_for_backward(offsets, steps)
        return x_BD.index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_LD: Tensor) -> tuple[Tensor | None, ...]:
        offsets, steps = ctx.saved_tensors
        return _sum(grad_LD.contiguous(), None, offsets, steps), None, None, None


class _TimesRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_LD: Tensor, q_BD: Tensor, offsets: Tensor, rows: Tensor, steps: Tensor) -> Tensor:
        ctx.save_for_backward(x_LD, q_BD, offsets, rows, steps)
        return q_BD.index_select(0, rows).mul_(x_LD)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_LD: Tensor) -> tuple[Tensor | None, ...]:
        x_LD, q_BD, offsets, rows, steps = ctx.saved_tensors
        of_q = _sum(grad_LD * x_LD, None, offsets, steps)
        return q_BD.index_select(0, rows).mul_(grad_LD), of_q, None, None, None
