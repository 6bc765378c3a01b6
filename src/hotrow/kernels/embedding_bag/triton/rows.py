"""Rows of every format, read as float32 numbers."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def pointers(address_N: tl.tensor, DTYPE: tl.constexpr, ALIGNED: tl.constexpr) -> tl.tensor:
    """Return addresses in bytes (N,) as pointers; ``ALIGNED`` ones are multiples of 16."""
    pointer_N = address_N.to(tl.pointer_type(DTYPE))
    if ALIGNED:
        pointer_N = tl.multiple_of(pointer_N, [16])
    return pointer_N


@triton.jit
def load_float32(
    address_N: tl.tensor, column_D: tl.tensor, mask_ND: tl.tensor, ALIGNED: tl.constexpr
) -> tl.tensor:
    """Return float32 rows (N, D); zeros where masked out."""
    pointer_N = pointers(address_N, tl.float32, ALIGNED)
    return tl.load(pointer_N[:, None] + column_D[None, :], mask=mask_ND, other=0.0)


@triton.jit
def load_rows(
    address_N: tl.tensor,
    column_D: tl.tensor,
    mask_N: tl.tensor,
    mask_D: tl.tensor,
    FORMAT: tl.constexpr,
    WIDTH: tl.constexpr,
    ALIGNED: tl.constexpr,
) -> tl.tensor:
    """Return rows as float32 (N, D), zeros where masked out.

    bf16 is widened by hand: Triton's interpreter rounds it otherwise than a GPU does.
    """
    mask_ND = mask_N[:, None] & mask_D[None, :]
    if FORMAT == "fp32":
        row_ND = load_float32(address_N, column_D, mask_ND, ALIGNED)
    elif FORMAT == "fp16":
        pointer_N = pointers(address_N, tl.float16, ALIGNED)
        half_ND = tl.load(pointer_N[:, None] + column_D[None, :], mask=mask_ND, other=0.0)
        row_ND = half_ND.to(tl.float32)
    elif FORMAT == "bf16":
        pointer_N = pointers(address_N, tl.uint16, ALIGNED)
        bits_ND = tl.load(pointer_N[:, None] + column_D[None, :], mask=mask_ND, other=0)
        row_ND = (bits_ND.to(tl.uint32) << 16).to(tl.float32, bitcast=True)
    elif FORMAT == "int8":
        row_ND = _load_codes(address_N, column_D, mask_N, mask_ND, 8, WIDTH, ALIGNED)
    elif FORMAT == "int4":
        row_ND = _load_codes(address_N, column_D, mask_N, mask_ND, 4, WIDTH, ALIGNED)
    else:
        row_ND = _load_codes(address_N, column_D, mask_N, mask_ND, 2, WIDTH, ALIGNED)
    return row_ND


@triton.jit
def _load_codes(
    address_N: tl.tensor,
    column_D: tl.tensor,
    mask_N: tl.tensor,
    mask_ND: tl.tensor,
    BITS: tl.constexpr,
    WIDTH: tl.constexpr,
    ALIGNED: tl.constexpr,
) -> tl.tensor:
    pointer_N = pointers(address_N, tl.uint8, ALIGNED)
    bit_D = column_D * BITS
    byte_ND = tl.load(pointer_N[:, None] + (bit_D // 8)[None, :], mask=mask_ND, other=0)
    code_ND = (byte_ND.to(tl.int32) >> (bit_D % 8)[None, :]) & ((1 << BITS) - 1)
    parameters_N = pointer_N + (WIDTH * BITS + 7) // 8
    if BITS == 8:
        scale_N = _word(parameters_N, mask_N).to(tl.float32, bitcast=True)
        bias_N = _word(parameters_N + 4, mask_N).to(tl.float32, bitcast=True)
    else:
        scale_N = _half_word(parameters_N, mask_N).to(tl.float16, bitcast=True).to(tl.float32)
        bias_N = _half_word(parameters_N + 2, mask_N).to(tl.float16, bitcast=True).to(tl.float32)
    row_ND = code_ND.to(tl.float32) * scale_N[:, None] + bias_N[:, None]
    return tl.where(mask_ND, row_ND, 0.0)


@triton.jit
def _half_word(pointer_N: tl.tensor, mask_N: tl.tensor) -> tl.tensor:
    """Return two bytes, the lower first, as uint16: rows of odd length leave them unaligned."""
    low_N = tl.load(pointer_N, mask=mask_N, other=0).to(tl.uint16)
    high_N = tl.load(pointer_N + 1, mask=mask_N, other=0).to(tl.uint16)
    return low_N | (high_N << 8)


@triton.jit
def _word(pointer_N: tl.tensor, mask_N: tl.tensor) -> tl.tensor:
    low_N = _half_word(pointer_N, mask_N).to(tl.uint32)
    return low_N | (_half_word(pointer_N + 2, mask_N).to(tl.uint32) << 16)
