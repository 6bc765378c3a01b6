"""The recurrence of a GRU as a differentiable function, and as operators that ``torch.compile`` keeps whole.

Its loop goes as far as the longest history: a compiler takes it as one node, eager code goes through a
plain autograd function.

Shapes: B rows, P packed steps (all steps of all rows), I input width, H hidden width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hotrow.layers._gru_loops import run_backward, run_forward


def gru(
    x_PI: Tensor,
    scale_P: Tensor | None,
    sizes_P: Tensor,
    rows: int,
    of_input: Tensor,
    of_state: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the states of all packed steps, (P, H), and each row's last state by rank, (B, H).

    Args:
        x_PI: packed inputs.
        scale_P: what each step's update gate is multiplied by; None for 1.
        sizes_P: int64; how many rows have a step at each time, then zeros.
        rows: B.
        of_input: weights of the inputs to the gates r, u, c, (3 H, I).
        of_state: weights of the state, (3 H, H).
        bias: (3 H,).
    """
    arguments = (x_PI, scale_P, sizes_P, rows, of_input, of_state, bias)
    if torch.compiler.is_compiling():
        states_PH, last_BH, _ = torch.ops.hotrow.gru(*arguments)
    else:
        states_PH, last_BH, _ = _GRU.apply(*arguments)  # type: ignore[no-untyped-call]
    return states_PH, last_BH


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    x, scale, sizes, _, of_input, of_state, _ = inputs
    states, _, gates = output
    ctx.save_for_backward(x, scale, sizes, states, gates, of_input, of_state)
    ctx.set_materialize_grads(False)


class _GRU(torch.autograd.Function):
    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        return run_forward(*inputs)

    setup_context = staticmethod(_set_up)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_states: Tensor | None, of_last: Tensor | None, _: None
    ) -> tuple[Tensor | None, ...]:
        of_x, of_scale, *of_weights = run_backward(of_states, of_last, *ctx.saved_tensors)
        return of_x, of_scale if ctx.needs_input_grad[1] else None, None, None, *of_weights


@torch.library.custom_op(
    "hotrow::gru",
    mutates_args=(),
    schema="(Tensor x, Tensor? scale, Tensor sizes, int rows, Tensor of_input, Tensor of_state, "
    "Tensor bias) -> (Tensor, Tensor, Tensor)",
)
def _forward_op(*inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
    return run_forward(*inputs)


@torch.library.custom_op(
    "hotrow::gru_backward",
    mutates_args=(),
    schema="(Tensor? of_states, Tensor? of_last, Tensor x, Tensor? scale, Tensor sizes, Tensor states, "
    "Tensor gates, Tensor of_input, Tensor of_state) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _backward_op(*inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return run_backward(*inputs)


@_forward_op.register_fake
def _(
    x: Tensor,
    scale: Tensor | None,
    sizes: Tensor,
    rows: int,
    of_input: Tensor,
    of_state: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    steps, hidden = x.shape[0], of_state.shape[1]
    return x.new_empty(steps, hidden), x.new_empty(rows, hidden), x.new_empty(steps, 3 * hidden)


@_backward_op.register_fake
def _(
    of_states: Tensor | None,
    of_last: Tensor | None,
    x: Tensor,
    scale: Tensor | None,
    sizes: Tensor,
    states: Tensor,
    gates: Tensor,
    of_input: Tensor,
    of_state: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    of_scale = x.new_empty(0 if scale is None else x.shape[0])
    alike = (torch.empty_like(x), of_scale, torch.empty_like(of_input), torch.empty_like(of_state))
    return *alike, x.new_empty(of_input.shape[0])


def _backward(
    ctx: Any, of_states: Tensor | None, of_last: Tensor | None, _: None
) -> tuple[Tensor | None, ...]:
    of_x, of_scale, *of_weights = torch.ops.hotrow.gru_backward(of_states, of_last, *ctx.saved_tensors)
    return of_x, of_scale if ctx.saved_tensors[1] is not None else None, None, None, *of_weights


_forward_op.register_autograd(_backward, setup_context=_set_up)
