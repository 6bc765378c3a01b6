"""Stochastic rounding of rows to fp16 and bf16, with random bits that depend on place and step alone.

The random word of column d of row e in table t at a step is

    mix(mix(low(e) ^ mix(high(e) ^ salt)) + d * 0x9E3779B9)     (32-bit arithmetic)

with low and high the two 32-bit halves of e, ``mix`` the lowbias32 hash (Chris Wellons,
"Prospecting for hash functions", 2018), and ``salt`` of (seed, step, t). Every backend computes the
same words, so results depend neither on the number of threads nor on the order of work.
"""

from __future__ import annotations

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9


def rounding_salt(seed: int, step: int, table: int) -> int:
    """Return the 32-bit salt of one table at one step (SplitMix64 of the three numbers)."""
    state = (seed * 0xD1342543DE82EF95 + step * 0x9E3779B97F4A7C15 + table * 0xDA942042E4DD58B5) % 2**64
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % 2**64
    return (state ^ (state >> 31)) >> 32


def random_words(rows_U: Tensor, width: int, salt: int) -> Tensor:
    """Return the random words (U, D) of whole rows, as int64 in [0, 2**32)."""
    row_U = _mix((rows_U & _MASK) ^ _mix((rows_U >> 32) ^ salt))
    column_D = torch.arange(width, device=rows_U.device) * _GOLDEN
    return _mix((row_U.unsqueeze(1) + column_D) & _MASK)


def round_rows(values_UD: Tensor, dtype: torch.dtype, words_UD: Tensor) -> Tensor:
    """Round float32 values down or up to fp16 or bf16, up with the probability of the part cut off.

    Values that ``dtype`` can hold stay. fp16 saturates at its largest number.
    """
    if dtype == torch.bfloat16:
        bits = values_UD.view(torch.int32).long() & _MASK
        special = ~values_UD.isfinite()
        cut = torch.where(special, bits, bits + (words_UD >> 16)) & 0xFFFF0000
        rounded = _from_bits(cut).to(torch.bfloat16)
        return torch.where(values_UD.isnan(), values_UD.to(torch.bfloat16), rounded)
    magnitude = values_UD.abs()
    chance = words_UD >> 19  # 13 bits: what fp16 lacks of float32's fraction
    bits = magnitude.view(torch.int32).long()
    normal = _from_bits((bits + chance) & ~0x1FFF)
    subnormal = (magnitude * 2.0**24 + chance.float() * 2.0**-13).floor() * 2.0**-24
    rounded = torch.where(magnitude < 2.0**-14, subnormal, normal)
    rounded = torch.where(magnitude >= 65504.0, magnitude.clamp(max=65504.0), rounded)
    rounded = torch.where(values_UD.isfinite(), rounded, magnitude)
    return torch.copysign(rounded, values_UD).to(torch.float16)


def _from_bits(bits: Tensor) -> Tensor:
    """Return 32-bit patterns, held in int64, as float32."""
    signed = torch.where(bits >= 2**31, bits - 2**32, bits)
    return signed.to(torch.int32).view(torch.float32)


def _mix(x: Tensor) -> Tensor:
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & _MASK
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & _MASK
    return x ^ (x >> 16)
