"""The hash index in C++ (csrc/id_index.cpp): prefetches ahead, releases the GIL."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def build(slots: NDArray[Any], keys: NDArray[np.uint64]) -> int:
    """Fill empty slots; return the position of the first repeated key, or -1."""
    note_path("id_index_build", "cpu")
    return _kernels.id_index_build(slots.view(np.uint8), slots.itemsize, keys)


def lookup(slots: NDArray[Any], keys: NDArray[np.uint64], threads: int) -> NDArray[np.int32]:
    """Return each key's position, or -1."""
    note_path("id_index_lookup", "cpu")
    positions = np.empty(keys.size, dtype=np.int32)
    _kernels.id_index_lookup(slots.view(np.uint8), slots.itemsize, keys, positions, threads)
    return positions
