"""The recurrence of a GRU over packed steps, forward and backward.

Autograd would keep several matrices for every step in time and, where steps are views of one matrix, make
a gradient of its whole size for each; here the loop writes into matrices made once.

Shapes: B rows, P packed steps (all steps of all rows), I input width, H hidden width.
"""

from __future__ import annotations

from itertools import accumulate, takewhile

import torch
from torch import Tensor

_sigmoid_gradient = torch.ops.aten.sigmoid_backward.grad_input
_tanh_gradient = torch.ops.aten.tanh_backward.grad_input


def times(sizes: Tensor) -> list[tuple[int, int, int]]:
    """Return first packed step, first one of the time before, and number of rows, of each time."""
    counts = list(takewhile(bool, sizes.tolist()))
    starts = list(accumulate(counts, initial=0))
    return list(zip(starts, [0, *starts], counts, strict=False))


def run_forward(
    x_PI: Tensor,
    scale_P: Tensor | None,
    sizes_P: Tensor,
    rows: int,
    of_input: Tensor,
    of_state: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the states (P, H), each row's last state by rank (B, H), and what backward needs, (P, 3 H)."""
    H = of_state.shape[1]
    gates_P3H = torch.empty(x_PI.shape[0], 3 * H, dtype=x_PI.dtype, device=x_PI.device)
    torch.addmm(bias, x_PI, of_input.t(), out=gates_P3H)
    states_PH, last_BH = x_PI.new_empty(x_PI.shape[0], H), x_PI.new_zeros(rows, H)
    recurrent, share = x_PI.new_empty(rows, 3 * H), x_PI.new_empty(rows, H)
    state = last_BH[: int(sizes_P[0]) if len(sizes_P) else 0]
    before = 0
    for start, _, count in times(sizes_P):
        if count < len(state):
            last_BH[count : len(state)] = state[count:]
            state = state[:count]
        gates, out = gates_P3H[start : start + count], states_PH[start : start + count]
        added = torch.mm(state, of_state.t(), out=recurrent[:count])
        reset_update, candidate = gates[:, : 2 * H], gates[:, 2 * H :]
        reset_update.add_(added[:, : 2 * H]).sigmoid_()
        candidate.addcmul_(reset_update[:, :H], added[:, 2 * H :]).tanh_()
        update = reset_update[:, H:]
        if scale_P is not None:
            update = torch.mul(update, scale_P[start : start + count, None], out=share[:count])
        state = torch.lerp(state, candidate, update, out=out)
        before = count
    last_BH[:before] = state
    return states_PH, last_BH, gates_P3H


def run_backward(
    grad_PH: Tensor | None,
    grad_BH: Tensor | None,
    x_PI: Tensor,
    scale_P: Tensor | None,
    sizes_P: Tensor,
    states_PH: Tensor,
    gates_P3H: Tensor,
    of_input: Tensor,
    of_state: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, scale (empty if there is none), of_input, of_state and bias."""
    H = of_state.shape[1]
    of_times = times(sizes_P)
    rows = of_times[0][2] if of_times else 0
    grad_gates, grad_scale = torch.empty_like(gates_P3H), x_PI.new_empty(0 if scale_P is None else len(x_PI))
    grad_of_state = torch.zeros_like(of_state)
    back_BH = x_PI.new_zeros(rows, H) if grad_BH is None else grad_BH[:rows].clone()
    scratch = [x_PI.new_empty(rows, H) for _ in range(4)]
    zeros = x_PI.new_zeros(rows, H)
    for start, before, count in reversed(of_times):
        part = slice(start, start + count)
        # of the loss by this time's states; below, by those of the time before
        back = back_BH[:count]
        if grad_PH is not None:
            back += grad_PH[part]
        state = states_PH[before : before + count] if start else zeros
        reset, update, candidate = gates_P3H[part].tensor_split(3, dim=1)
        of_reset, of_update, of_candidate = grad_gates[part].tensor_split(3, dim=1)
        share, by_share, recurrent, by_recurrent = (x[:count] for x in scratch)
        torch.sub(candidate, state, out=by_share).mul_(back)
        if scale_P is None:
            share = update
        else:
            scale = scale_P[part, None]
            torch.mul(update, scale, out=share)
            torch.sum(torch.mul(by_share, update, out=recurrent), dim=1, out=grad_scale[part])
            by_share.mul_(scale)
        _sigmoid_gradient(by_share, update, grad_input=of_update)
        _tanh_gradient(torch.mul(back, share, out=by_share), candidate, grad_input=of_candidate)
        torch.mm(state, of_state[2 * H :].t(), out=recurrent).mul_(of_candidate)
        _sigmoid_gradient(recurrent, reset, grad_input=of_reset)
        torch.mul(of_candidate, reset, out=by_recurrent)
        back.sub_(by_share)
        torch.addmm(back, grad_gates[part, : 2 * H], of_state[: 2 * H], out=back)
        torch.addmm(back, by_recurrent, of_state[2 * H :], out=back)
        if start:
            grad_of_state[: 2 * H].addmm_(grad_gates[part, : 2 * H].t(), state)
            grad_of_state[2 * H :].addmm_(by_recurrent.t(), state)
    return grad_gates @ of_input, grad_scale, grad_gates.t() @ x_PI, grad_of_state, grad_gates.sum(dim=0)
