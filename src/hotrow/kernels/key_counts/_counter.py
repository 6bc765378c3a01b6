"""``KeyCounter``, on the best backend there is."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.dispatch import Backend, Operator

Counted = tuple[NDArray[np.uint64], NDArray[np.int64]]


class Counts(Protocol):
    """What a backend counts with."""

    def __len__(self) -> int:
        """Return how many different keys were counted."""

    def add(self, keys: NDArray[Any], counts: NDArray[np.int64] | None) -> None:
        """Count keys (n,) of uint32 or uint64 once, or so many times; all at least once."""

    def sorted(self) -> Counted:
        """Return the keys in order, and how often each was counted."""


class Implementation(Protocol):
    """What every backend offers."""

    def counts(self) -> Counts:
        """Return what has counted nothing yet."""


def _load_reference() -> Implementation:
    from hotrow.kernels.key_counts import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.key_counts import cpu

    return cpu


OPERATOR: Operator[Implementation] = Operator("key_counts", {"reference": _load_reference, "cpu": _load_cpu})


class KeyCounter:
    """Counts keys. Not for several threads at once; others run while it counts.

    Args:
        backend: which implementation counts.
    """

    def __init__(self, *, backend: Backend = "auto") -> None:
        self._counts = OPERATOR.select(backend).implementation.counts()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, keys: NDArray[Any], counts: NDArray[np.int64] | None = None) -> None:
        """Count keys.

        Args:
            keys: (n,) uint32 or uint64.
            counts: (n,) how often each is to be counted, at least once; None: once.

        Raises:
            ValueError: keys are anything else, or counts are not of each key or below 1.
        """
        if keys.ndim != 1 or keys.dtype not in (np.uint32, np.uint64):
            raise ValueError(
                f"keys: got {keys.dtype} of shape {keys.shape}, expected (n,) of uint32 or uint64"
            )
        if counts is not None and (counts.shape != keys.shape or counts.min(initial=1) < 1):
            raise ValueError(f"counts: got {counts.shape}, expected {keys.shape}, all at least 1")
        self._counts.add(np.ascontiguousarray(keys), counts)

    def sorted(self) -> Counted:
        """Return the keys in order, (E,) uint64, and how often each was counted, (E,) int64."""
        return self._counts.sorted()
