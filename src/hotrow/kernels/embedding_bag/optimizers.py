"""The optimizers' formulas in plain PyTorch (see ``Update`` for them in one table)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels.embedding_bag._types import Update

Stepped = tuple[Tensor, list[Tensor]]


def step_rows(row_UD: Tensor, grad_UD: Tensor, states: Sequence[Tensor], update: Update) -> Stepped:
    """Return the rows and their states after one step.

    Args:
        row_UD: (U, D) the touched rows.
        grad_UD: (U, D) the sum of each row's gradients.
        states: the optimizer's states of these rows, (U, D) or (U,), in the order of ``STATES``.
        update: the optimizer.
    """
    grad_UD = _clip(grad_UD, update)
    if update.weight_decay and update.decay == "l2":
        grad_UD = grad_UD + update.weight_decay * row_UD
    elif update.weight_decay and update.kind != "lamb":
        row_UD = row_UD * (1 - update.lr * update.weight_decay)
    if update.kind == "sgd":
        return row_UD - update.lr * grad_UD, []
    if update.kind == "momentum":
        momentum = update.beta1 * states[0] + grad_UD
        return row_UD - update.lr * momentum, [momentum]
    if update.kind == "rowwise_adagrad":
        sums_U = states[0] + grad_UD.square().mean(dim=1)
        rate_U = update.lr / (sums_U.sqrt() + update.eps)
        return row_UD - rate_U.unsqueeze(1) * grad_UD, [sums_U]
    if update.kind == "adagrad":
        sums_UD = states[0] + grad_UD.square()
        return row_UD - update.lr * grad_UD / (sums_UD.sqrt() + update.eps), [sums_UD]
    return _adam_or_lamb(row_UD, grad_UD, states, update)


def _adam_or_lamb(row_UD: Tensor, grad_UD: Tensor, states: Sequence[Tensor], update: Update) -> Stepped:
    mean_UD = update.beta1 * states[0] + (1 - update.beta1) * grad_UD
    square_UD = update.beta2 * states[1] + (1 - update.beta2) * grad_UD.square()
    root_UD = (square_UD / (1 - update.beta2**update.step)).sqrt()
    step_UD = (mean_UD / (1 - update.beta1**update.step)) / (root_UD + update.eps)
    if update.kind == "adam":
        return row_UD - update.lr * step_UD, [mean_UD, square_UD]
    if update.decay == "decoupled":
        step_UD = step_UD + update.weight_decay * row_UD
    row_norm = row_UD.norm(dim=1, keepdim=True)
    step_norm = step_UD.norm(dim=1, keepdim=True)
    ratio = torch.where((row_norm > 0) & (step_norm > 0), row_norm / step_norm, torch.ones_like(row_norm))
    return row_UD - update.lr * ratio * step_UD, [mean_UD, square_UD]


def _clip(grad_UD: Tensor, update: Update) -> Tensor:
    if update.clip_value is not None:
        grad_UD = grad_UD.clamp(-update.clip_value, update.clip_value)
    if update.clip_norm is not None:
        norm = grad_UD.norm(dim=1, keepdim=True)
        over = norm > update.clip_norm
        grad_UD = torch.where(over, grad_UD * (update.clip_norm / norm), grad_UD)
    return grad_UD
