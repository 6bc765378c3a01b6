"""The kernel that sums each touched row's gradients, steps its optimizer and stores it."""

from __future__ import annotations

import triton
import triton.language as tl

from hotrow.kernels.embedding_bag.triton.plan import (
    TABLE_ADDRESS,
    TABLE_BASE,
    TABLE_FIELDS,
    TABLE_INDEX,
    TABLE_STATE,
)
from hotrow.kernels.embedding_bag.triton.rounding import random_words, to_bf16, to_fp16
from hotrow.kernels.embedding_bag.triton.rows import load_rows, pointers
from hotrow.kernels.embedding_bag.triton.segments import sum_segments
from hotrow.kernels.embedding_bag.triton.step import step_rows


@triton.jit
def update_kernel(
    records: tl.tensor,
    keys: tl.tensor,
    starts: tl.tensor,
    counts: tl.tensor,
    sources: tl.tensor,
    scales: tl.tensor,
    salts: tl.tensor,
    first: tl.tensor,
    last: tl.tensor,
    tables: tl.tensor,
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
    FORMAT: tl.constexpr,
    WIDTH: tl.constexpr,
    ROW_BYTES: tl.constexpr,
    STATE_BYTES: tl.constexpr,
    ALIGNED: tl.constexpr,
    STATES_ALIGNED: tl.constexpr,
    SCALED: tl.constexpr,
    ADDENDS_ALIGNED: tl.constexpr,
    STOCHASTIC: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
) -> None:
    """Step a block of touched rows, which may be of several tables of one group."""
    segment_N = first + tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    column_D = tl.arange(0, BLOCK_D)
    mask_N, mask_D = segment_N < last, column_D < WIDTH
    key_N = tl.load(keys + segment_N, mask=mask_N, other=0).to(tl.int64)
    record_N = records + _table_of(records, tables, key_N, BLOCK_T) * TABLE_FIELDS
    row_N = key_N - tl.load(record_N + TABLE_BASE, mask=mask_N, other=0)
    address_N = tl.load(record_N + TABLE_ADDRESS, mask=mask_N, other=0) + row_N * ROW_BYTES
    state_N = tl.load(record_N + TABLE_STATE, mask=mask_N, other=0) + row_N * STATE_BYTES
    state2_N = tl.load(record_N + TABLE_STATE + 1, mask=mask_N, other=0) + row_N * STATE_BYTES
    grad_ND = sum_segments(
        starts, counts, sources, scales, segment_N, mask_N, column_D, mask_D, SCALED, ADDENDS_ALIGNED
    )
    value_ND = load_rows(address_N, column_D, mask_N, mask_D, FORMAT, WIDTH, ALIGNED)
    value_ND = step_rows(
        value_ND,
        grad_ND,
        state_N,
        state2_N,
        column_D,
        mask_N,
        mask_D,
        lr,
        eps,
        beta1,
        beta2,
        rest1,
        rest2,
        correction1,
        correction2,
        weight_decay,
        kept,
        clip_value,
        clip_norm,
        KIND,
        CLIPS_NORM,
        DECAY,
        WIDTH,
        STATES_ALIGNED,
    )
    word_ND = tl.zeros((BLOCK_N, BLOCK_D), tl.uint32)
    if STOCHASTIC:
        salt_N = tl.load(salts + tl.load(record_N + TABLE_INDEX, mask=mask_N, other=0))
        word_ND = random_words(row_N, column_D, salt_N)
    _store_rows(address_N, column_D, value_ND, word_ND, mask_N, mask_D, FORMAT, ALIGNED, STOCHASTIC)


@triton.jit
def _table_of(records: tl.tensor, tables: tl.tensor, key_N: tl.tensor, BLOCK_T: tl.constexpr) -> tl.tensor:
    """Return the position, in its group, of the table that each key belongs to."""
    table_T = tl.arange(0, BLOCK_T)
    base_T = tl.load(records + table_T * TABLE_FIELDS + TABLE_BASE, mask=table_T < tables, other=2**62)
    return tl.sum((base_T[None, :] <= key_N[:, None]).to(tl.int32), axis=1) - 1


@triton.jit
def _store_rows(
    address_N: tl.tensor,
    column_D: tl.tensor,
    value_ND: tl.tensor,
    word_ND: tl.tensor,
    mask_N: tl.tensor,
    mask_D: tl.tensor,
    FORMAT: tl.constexpr,
    ALIGNED: tl.constexpr,
    STOCHASTIC: tl.constexpr,
) -> None:
    mask_ND = mask_N[:, None] & mask_D[None, :]
    if FORMAT == "fp32":
        pointer_N = pointers(address_N, tl.float32, ALIGNED)
        tl.store(pointer_N[:, None] + column_D[None, :], value_ND, mask=mask_ND)
    elif FORMAT == "fp16":
        pointer_N = pointers(address_N, tl.float16, ALIGNED)
        half_ND = to_fp16(value_ND, word_ND, STOCHASTIC)
        tl.store(pointer_N[:, None] + column_D[None, :], half_ND, mask=mask_ND)
    else:
        pointer_N = pointers(address_N, tl.uint16, ALIGNED)
        bits_ND = to_bf16(value_ND, word_ND, STOCHASTIC)
        tl.store(pointer_N[:, None] + column_D[None, :], bits_ND, mask=mask_ND)
