"""The specification, in NumPy: sorted keys, that others are merged into."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.key_counts._counter import Counted, Counts


def counts() -> Counts:
    """Return what has counted nothing yet."""
    return _Sorted()


class _Sorted:
    """The sorted keys."""

    def __init__(self) -> None:
        self._keys = np.empty(0, dtype=np.uint64)
        self._counts = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, keys: NDArray[Any], counts: NDArray[np.int64] | None) -> None:
        """Count keys."""
        note_path("key_counts", "reference")
        if not len(keys):
            return
        if counts is None:
            keys, counts = np.unique(keys, return_counts=True)
        all_keys = np.concatenate((self._keys, keys.astype(np.uint64)))
        all_counts = np.concatenate((self._counts, counts))
        order = np.argsort(all_keys, kind="stable")  # two sorted runs, which this kind of sort just merges
        all_keys = all_keys[order]
        first = np.flatnonzero(np.concatenate(([True], all_keys[1:] != all_keys[:-1])))
        self._keys, self._counts = all_keys[first], np.add.reduceat(all_counts[order], first)

    def sorted(self) -> Counted:
        """Return keys and counts."""
        return self._keys, self._counts
