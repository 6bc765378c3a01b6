"""The memory that the front process and its workers share: one file without a name, cut into blocks."""

from __future__ import annotations

import mmap
import os

import numpy as np
from numpy.typing import NDArray

SMALLEST = 4096
"""Bytes of the smallest block."""


class Blocks:
    """A buddy allocator (Knowlton 1965): blocks of a power of two, freed ones joined with their neighbours.

    Args:
        size: bytes of the whole, ``SMALLEST`` times a power of two.
    """

    def __init__(self, size: int) -> None:
        self._orders = (size // SMALLEST).bit_length() - 1
        if size != SMALLEST << self._orders:
            raise ValueError(f"size {size} is not {SMALLEST} times a power of two")
        # Dictionaries keep the order, so that the block freed last, which is in the caches, is taken first.
        self._free: list[dict[int, None]] = [{} for _ in range(self._orders + 1)]
        self._free[self._orders][0] = None
        self._taken: dict[int, int] = {}

    def take(self, size: int) -> int | None:
        """Return where a block of at least ``size`` bytes begins, None if there is none."""
        order = (max(size, 1) - 1) // SMALLEST
        wanted = order.bit_length()
        found = next((k for k in range(wanted, self._orders + 1) if self._free[k]), None)
        if found is None:
            return None
        at, _ = self._free[found].popitem()
        for half in range(found - 1, wanted - 1, -1):
            self._free[half][at + (SMALLEST << half)] = None
        self._taken[at] = wanted
        return at

    def give_back(self, at: int) -> None:
        """Free the block that begins at ``at``."""
        order = self._taken.pop(at)
        while order < self._orders:
            buddy = at ^ (SMALLEST << order)
            if buddy not in self._free[order]:
                break
            del self._free[order][buddy]
            at = min(at, buddy)
            order += 1
        self._free[order][at] = None

    @property
    def taken(self) -> int:
        """Bytes of the blocks that are taken."""
        return sum(SMALLEST << order for order in self._taken.values())


class SharedMemory:
    """Memory that is passed to other processes as a file descriptor.

    Pages take memory from their first use on.

    Args:
        descriptor: of the file.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        self.bytes: NDArray[np.uint8] = np.frombuffer(self._map, dtype=np.uint8)

    @classmethod
    def create(cls, size: int) -> SharedMemory:
        """Return new memory of ``size`` bytes, all 0."""
        descriptor = os.memfd_create("hotrow", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, size)
        return cls(descriptor)

    def close(self) -> None:
        """Close the file; memory goes when the last view of it does."""
        os.close(self.descriptor)
