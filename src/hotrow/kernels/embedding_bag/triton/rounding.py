"""Stochastic rounding and its random words as ``embedding_bag.rounding`` specifies them, bit for bit.

bf16 is made by hand, as its 16 bits: Triton's interpreter rounds it otherwise than a GPU does.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def random_words(row_U: tl.tensor, column_D: tl.tensor, salt_U: tl.tensor) -> tl.tensor:
    """Return the random words (U, D), uint32, of rows (U,) int64 under salts (U,)."""
    low_U = (row_U & 0xFFFFFFFF).to(tl.uint32)
    high_U = (row_U >> 32).to(tl.uint32)
    row_word_U = _mix(low_U ^ _mix(high_U ^ salt_U.to(tl.uint32)))
    return _mix(row_word_U[:, None] + column_D.to(tl.uint32)[None, :] * 0x9E3779B9)


@triton.jit
def _mix(x: tl.tensor) -> tl.tensor:
    x = x ^ (x >> 16)
    x = x * 0x7FEB352D
    x = x ^ (x >> 15)
    x = x * 0x846CA68B
    return x ^ (x >> 16)


@triton.jit
def to_bf16(value_UD: tl.tensor, word_UD: tl.tensor, STOCHASTIC: tl.constexpr) -> tl.tensor:
    """Return float32 values as the bits of bf16, uint16: rounded by chance or to nearest even."""
    bits_UD = value_UD.to(tl.uint32, bitcast=True)
    if STOCHASTIC:
        finite_UD = (bits_UD & 0x7F800000) != 0x7F800000
        cut_UD = tl.where(finite_UD, bits_UD + (word_UD >> 16), bits_UD) >> 16
    else:
        cut_UD = (bits_UD + 0x7FFF + ((bits_UD >> 16) & 1)) >> 16
    return tl.where(value_UD != value_UD, 0x7FC0, cut_UD).to(tl.uint16)


@triton.jit
def to_fp16(value_UD: tl.tensor, word_UD: tl.tensor, STOCHASTIC: tl.constexpr) -> tl.tensor:
    """Return float32 values as fp16, rounded by chance (then saturating) or to nearest even."""
    if STOCHASTIC:
        bits_UD = value_UD.to(tl.uint32, bitcast=True)
        magnitude_bits_UD = bits_UD & 0x7FFFFFFF
        magnitude_UD = magnitude_bits_UD.to(tl.float32, bitcast=True)
        chance_UD = word_UD >> 19  # 13 bits: what fp16 lacks of float32's fraction
        normal_UD = ((magnitude_bits_UD + chance_UD) & 0xFFFFE000).to(tl.float32, bitcast=True)
        small_UD = tl.minimum(magnitude_UD, 6.103515625e-05)  # 2**-14: fp16 is subnormal below
        units_UD = tl.floor(small_UD * 16777216.0 + chance_UD.to(tl.float32) * 0.0001220703125)
        rounded_UD = tl.where(magnitude_UD < 6.103515625e-05, units_UD / 16777216.0, normal_UD)
        rounded_UD = tl.where(magnitude_UD >= 65504.0, 65504.0, rounded_UD)
        rounded_UD = tl.where(magnitude_bits_UD < 0x7F800000, rounded_UD, magnitude_UD)
        value_UD = tl.where(bits_UD != magnitude_bits_UD, -rounded_UD, rounded_UD)
    return value_UD.to(tl.float16)
