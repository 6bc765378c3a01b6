"""Random numbers without a stream: the value belongs to the key, so nothing has to be stored."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LANES = 4
"""Normal numbers that one key yields."""

_LEVELS = 1 << 16
_GOLDEN_32 = 0x9E37_79B1
_GOLDEN_64 = 0x9E37_79B9_7F4A_7C15
_MASK_64 = (1 << 64) - 1


def scramble_ids(feature: int, ranks: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Return ids that look like hashes; distinct ranks of a feature get distinct ids.

    The finaliser of MurmurHash3 (Appleby, public domain) is a bijection of 32-bit numbers.
    """
    x = ranks.astype(np.uint32) + np.uint32((feature + 1) * _GOLDEN_32 & 0xFFFF_FFFF)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EB_CA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2_AE35)
    x ^= x >> np.uint32(16)
    return x


def mix(*parts: int) -> int:
    """Return a 64-bit number that depends on every bit of every part."""
    state = 0
    for part in parts:
        state = (state + (part & _MASK_64) + _GOLDEN_64) & _MASK_64
        state = ((state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK_64
        state = ((state ^ (state >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK_64
        state ^= state >> 31
    return state


def normals(stream: int, ranks: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return ``LANES`` standard normal numbers per rank, shape (B, LANES), the same for the same key.

    The output function of SplitMix64 (Steele, Lea, Flood 2014) turns rank and stream into 64 bits;
    each 16 of them choose one of 65,536 equally likely quantiles.

    Args:
        stream: 64 bits that set one family of numbers apart from another, from ``mix``.
        ranks: (B,) ids.
    """
    x = ranks.astype(np.uint64) * np.uint64(_GOLDEN_64) + np.uint64(stream)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58_476D_1CE4_E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D0_49BB_1331_11EB)
    x ^= x >> np.uint64(31)
    levels_BL = x.astype("<u8", copy=False).view("<u2").reshape(-1, LANES)
    drawn_BL: NDArray[np.float32] = _quantiles()[levels_BL]
    return drawn_BL


@cache
def _quantiles() -> NDArray[np.float32]:
    inverse = NormalDist().inv_cdf
    upper = np.array([inverse((level + 0.5) / _LEVELS) for level in range(_LEVELS // 2, _LEVELS)])
    return np.concatenate([-upper[::-1], upper]).astype(np.float32)
