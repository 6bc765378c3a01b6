"""The optimizers' formulas on a tile of rows (see ``Update`` for them in one table)."""

from __future__ import annotations

import triton
import triton.language as tl

from hotrow.kernels.embedding_bag.triton.rows import load_float32, pointers


@triton.jit
def step_rows(
    row_UD: tl.tensor,
    grad_UD: tl.tensor,
    state_U: tl.tensor,
    state2_U: tl.tensor,
    column_D: tl.tensor,
    mask_U: tl.tensor,
    mask_D: tl.tensor,
    lr: tl.tensor,
    eps: tl.tensor,
    beta1: tl.tensor,
    beta2: tl.tensor,
    rest1: tl.tensor,
    rest2: tl.tensor,
    correction1: tl.tensor,
    correction2: tl.tensor,
    weight_decay: tl.tensor,
    kept: tl.tensor,
    clip_value: tl.tensor,
    clip_norm: tl.tensor,
    KIND: tl.constexpr,
    CLIPS_NORM: tl.constexpr,
    DECAY: tl.constexpr,
    WIDTH: tl.constexpr,
    ALIGNED: tl.constexpr,
) -> tl.tensor:
    """Return the rows after one step, and write their states.

    Args:
        row_UD: float32 rows, zeros where masked out; ``grad_UD`` likewise.
        grad_UD: the sum of each row's gradients.
        state_U: address of each row's first state; ``state2_U`` of its second one.
        state2_U: see ``state_U``.
        column_D: columns; ``mask_D`` is which of them exist.
        mask_U: which rows exist.
        mask_D: see ``column_D``.
        lr: as in ``Update``, like all up to ``clip_norm``.
        eps: likewise.
        beta1: likewise.
        beta2: likewise.
        rest1: ``1 - beta1``, and ``rest2`` of beta2: float32 could not take that difference exactly.
        rest2: see ``rest1``.
        correction1: ``1 - beta1**step``.
        correction2: ``1 - beta2**step``.
        weight_decay: as in ``Update``.
        kept: ``1 - lr * weight_decay``.
        clip_value: infinite for none.
        clip_norm: of no meaning unless ``CLIPS_NORM``.
        KIND: the optimizer.
        CLIPS_NORM: whether ``clip_norm`` is in force.
        DECAY: ``l2``, ``decoupled`` or, if there is none, ``none``.
        WIDTH: D.
        ALIGNED: whether the states' rows begin at multiples of 16 bytes.
    """
    mask_UD = mask_U[:, None] & mask_D[None, :]
    grad_UD = tl.where(grad_UD > clip_value, clip_value, grad_UD)
    grad_UD = tl.where(grad_UD < -clip_value, -clip_value, grad_UD)
    if CLIPS_NORM:
        norm_U = tl.sqrt(tl.sum(grad_UD * grad_UD, axis=1))
        scale_U = tl.where(norm_U > clip_norm, clip_norm / tl.maximum(norm_U, clip_norm), 1.0)
        grad_UD *= scale_U[:, None]
    if DECAY == "l2":
        grad_UD += weight_decay * row_UD
    elif DECAY == "decoupled" and KIND != "lamb":
        row_UD *= kept
    if KIND == "sgd":
        move_UD = lr * grad_UD
    elif KIND == "momentum":
        momentum_UD = beta1 * load_float32(state_U, column_D, mask_UD, ALIGNED) + grad_UD
        _store(state_U, column_D, momentum_UD, mask_UD, ALIGNED)
        move_UD = lr * momentum_UD
    elif KIND == "rowwise_adagrad":
        pointer_U = pointers(state_U, tl.float32, False)
        sum_U = tl.load(pointer_U, mask=mask_U, other=1.0) + tl.sum(grad_UD * grad_UD, axis=1) / WIDTH
        tl.store(pointer_U, sum_U, mask=mask_U)
        move_UD = (lr / (tl.sqrt(sum_U) + eps))[:, None] * grad_UD
    elif KIND == "adagrad":
        sum_UD = load_float32(state_U, column_D, mask_UD, ALIGNED) + grad_UD * grad_UD
        _store(state_U, column_D, sum_UD, mask_UD, ALIGNED)
        move_UD = lr * grad_UD / tl.where(mask_UD, tl.sqrt(sum_UD) + eps, 1.0)
    else:
        mean_UD = beta1 * load_float32(state_U, column_D, mask_UD, ALIGNED) + rest1 * grad_UD
        square_UD = load_float32(state2_U, column_D, mask_UD, ALIGNED)
        square_UD = beta2 * square_UD + rest2 * grad_UD * grad_UD
        _store(state_U, column_D, mean_UD, mask_UD, ALIGNED)
        _store(state2_U, column_D, square_UD, mask_UD, ALIGNED)
        root_UD = tl.where(mask_UD, tl.sqrt(square_UD / correction2) + eps, 1.0)
        step_UD = mean_UD / correction1 / root_UD
        if KIND == "lamb":
            if DECAY == "decoupled":
                step_UD += weight_decay * row_UD
            step_UD *= _trust(row_UD, step_UD)[:, None]
        move_UD = lr * step_UD
    return row_UD - move_UD


@triton.jit
def _trust(row_UD: tl.tensor, step_UD: tl.tensor) -> tl.tensor:
    row_norm_U = tl.sqrt(tl.sum(row_UD * row_UD, axis=1))
    step_norm_U = tl.sqrt(tl.sum(step_UD * step_UD, axis=1))
    ratio_U = row_norm_U / tl.where(step_norm_U > 0, step_norm_U, 1.0)
    return tl.where((row_norm_U > 0) & (step_norm_U > 0), ratio_U, 1.0)


@triton.jit
def _store(
    address_U: tl.tensor, column_D: tl.tensor, value_UD: tl.tensor, mask_UD: tl.tensor, ALIGNED: tl.constexpr
) -> None:
    pointer_U = pointers(address_U, tl.float32, ALIGNED)
    tl.store(pointer_U[:, None] + column_D[None, :], value_UD, mask=mask_UD)
