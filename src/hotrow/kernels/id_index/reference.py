"""The hash index in vectorised NumPy: the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.dispatch import note_path

_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)
_SECOND_MULTIPLIER = np.uint64(0xBF58_476D_1CE4_E5B9)
_HALF = np.uint64(32)


def home_slots(keys: NDArray[np.uint64], capacity: int) -> NDArray[np.int64]:
    """Return the slot where each key's probing starts: 32 hashed bits scaled to the capacity."""
    hashed = keys * _MULTIPLIER
    hashed = (hashed ^ (hashed >> _HALF)) * _SECOND_MULTIPLIER
    return (((hashed >> _HALF) * np.uint64(capacity)) >> _HALF).astype(np.int64)


def build(slots: NDArray[Any], keys: NDArray[np.uint64]) -> int:
    """Fill empty slots; return the position of the first repeated key, or -1.

    All keys probe in step: of those that meet at an empty slot the first in order takes it, the
    others move on, so that each key's probe path stays occupied up to its own slot.
    """
    note_path("id_index_build", "reference")
    repeated = _first_repeated(keys)
    if repeated >= 0:
        return repeated
    waiting = np.arange(keys.size, dtype=np.int32)
    at = home_slots(keys, len(slots))
    while waiting.size:
        is_free = slots["position"][at] < 0
        slot, first = np.unique(at[is_free], return_index=True)
        winners = np.flatnonzero(is_free)[first]
        slots["key"][slot] = keys[waiting[winners]]
        slots["position"][slot] = waiting[winners]
        waiting, at = np.delete(waiting, winners), np.delete(at, winners)
        at = (at + 1) % len(slots)
    return -1


def lookup(slots: NDArray[Any], keys: NDArray[np.uint64], threads: int) -> NDArray[np.int32]:
    """Return each key's position, or -1; NumPy runs on one thread whatever ``threads``."""
    del threads
    note_path("id_index_lookup", "reference")
    positions = np.full(keys.size, -1, dtype=np.int32)
    waiting = np.arange(keys.size)
    at = home_slots(keys, len(slots))
    while waiting.size:
        slot = slots[at]
        is_empty = slot["position"] < 0
        is_hit = ~is_empty & (slot["key"] == keys[waiting])
        positions[waiting[is_hit]] = slot["position"][is_hit]
        goes_on = ~(is_empty | is_hit)
        waiting, at = waiting[goes_on], (at[goes_on] + 1) % len(slots)
    return positions


def _first_repeated(keys: NDArray[np.uint64]) -> int:
    """Return the smallest position whose key has occurred before, or -1."""
    order = np.argsort(keys, kind="stable")
    is_same = keys[order][1:] == keys[order][:-1]
    return int(order[1:][is_same].min()) if is_same.any() else -1
