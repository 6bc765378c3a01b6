"""``IdIndex`` and the layout of its slots."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.dispatch import Backend, BackendName, Operator

MAX_LOAD = 0.6
EMPTY = -1
"""Position stored in a slot that holds no key; also the answer for a key that is not there."""

NARROW_SLOT = np.dtype([("key", np.uint32), ("position", np.int32)])
WIDE_SLOT = np.dtype([("key", np.uint64), ("position", np.int32)])


class Implementation(Protocol):
    """The two functions that every backend of ``id_index`` has."""

    def build(self, slots: NDArray[Any], keys: NDArray[np.uint64]) -> int:
        """Fill empty ``slots`` with ``keys``; return the position of the first repeated key, or -1."""

    def lookup(self, slots: NDArray[Any], keys: NDArray[np.uint64], threads: int) -> NDArray[np.int32]:
        """Return each key's position, or -1."""


def _load_reference() -> Implementation:
    from hotrow.kernels.id_index import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.id_index import cpu

    return cpu


OPERATOR: Operator[Implementation] = Operator("id_index", {"reference": _load_reference, "cpu": _load_cpu})


class IdIndex:
    """Positions of keys in an array.

    Args:
        keys: (E,) uint64, all different; fewer than 2**31.
        backend: which implementation builds and answers.

    Raises:
        ValueError: a key occurs twice, or ``keys`` is not one-dimensional uint64.
    """

    backend: BackendName

    def __init__(self, keys: NDArray[np.uint64], *, backend: Backend = "auto") -> None:
        keys = _checked(keys)
        if keys.size >= 2**31:
            raise ValueError(f"keys: got {keys.size}, expected fewer than 2**31")
        selected = OPERATOR.select(backend)
        self.backend = selected.backend
        self._implementation = selected.implementation
        self._length = keys.size
        self._slots = _empty_slots(keys)
        repeated = self._implementation.build(self._slots, keys)
        if repeated >= 0:
            raise ValueError(f"keys: {int(keys[repeated])} at position {repeated} occurs twice")

    def __len__(self) -> int:
        return self._length

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._slots.nbytes

    def lookup(self, keys: NDArray[np.uint64], *, threads: int = 1) -> NDArray[np.int32]:
        """Return the position of each key in the indexed array, or -1.

        Releases the GIL, so that several threads may look up at once.

        Args:
            keys: (n,) uint64.
            threads: how many share this one call; 1 suits callers that are threads themselves.

        Returns:
            (n,) int32.
        """
        if threads < 1:
            raise ValueError(f"threads: got {threads}, expected at least 1")
        return self._implementation.lookup(self._slots, _checked(keys), threads)


def _checked(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    if keys.ndim != 1 or keys.dtype != np.uint64:
        raise ValueError(f"keys: got {keys.dtype} of shape {keys.shape}, expected one-dimensional uint64")
    return np.ascontiguousarray(keys)


def _empty_slots(keys: NDArray[np.uint64]) -> NDArray[Any]:
    fits_32_bits = keys.size == 0 or int(keys.max()) < 2**32
    capacity = int(keys.size / MAX_LOAD) + 1
    slots = np.zeros(capacity, dtype=NARROW_SLOT if fits_32_bits else WIDE_SLOT)
    slots["position"] = EMPTY
    return slots
