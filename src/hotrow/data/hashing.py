"""Hashing ids to a fixed number of rows, the alternative to a vocabulary when ids have no bound.

A key's row is ``2 + mix64(key + salt) % (rows - 2)`` with 64-bit wrap-around, where ``mix64`` is the
finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014; constants of Stafford's "Mix13") and
``salt`` is ``0x9E3779B97F4A7C15`` times the CRC-32 of the feature's name. So the schema alone, by
name and number of rows, fixes every row.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from hotrow.data.schema import RESERVED_IDS

_GOLDEN = 0x9E37_79B9_7F4A_7C15
_FIRST = np.uint64(0xBF58_476D_1CE4_E5B9)
_SECOND = np.uint64(0x94D0_49BB_1331_11EB)


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix 64-bit values so that every bit of the result depends on every bit of the value."""
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))


def hash_salt(feature: str) -> np.uint64:
    """Return what is added to a feature's keys before mixing."""
    return np.uint64((zlib.crc32(feature.encode()) * _GOLDEN) % 2**64)


def hash_rows(keys: NDArray[np.uint64], *, salt: np.uint64, rows: int) -> NDArray[np.int32]:
    """Return the row of each key, between ``RESERVED_IDS`` and ``rows - 1``.

    Args:
        keys: (n,) any 64-bit keys.
        salt: ``hash_salt`` of the feature.
        rows: E, at least ``RESERVED_IDS + 1``.
    """
    slots = mix64(keys + salt) % np.uint64(rows - RESERVED_IDS)
    return slots.astype(np.int32) + np.int32(RESERVED_IDS)
