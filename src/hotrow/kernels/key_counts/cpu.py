"""A hash table in C++ (csrc/key_counts.cpp): prefetches ahead, releases the GIL."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.key_counts._counter import Counted, Counts

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def counts() -> Counts:
    """Return what has counted nothing yet."""
    return _Table()


class _Table:
    """The hash table."""

    def __init__(self) -> None:
        self._table = _kernels.KeyCounts()

    def __len__(self) -> int:
        return len(self._table)

    def add(self, keys: NDArray[Any], counts: NDArray[np.int64] | None) -> None:
        """Count keys."""
        note_path("key_counts", "cpu")
        if counts is not None:
            self._table.add_counted(keys.astype(np.uint64, copy=False), np.ascontiguousarray(counts))
        elif keys.dtype == np.uint32:
            self._table.add_narrow(keys)
        else:
            self._table.add(keys)

    def sorted(self) -> Counted:
        """Return keys and counts."""
        keys, found = np.empty(len(self), dtype=np.uint64), np.empty(len(self), dtype=np.int64)
        self._table.write(keys, found)
        order = np.argsort(keys)
        return keys[order], found[order]
