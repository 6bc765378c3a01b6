"""Where rows lie in memory."""

from __future__ import annotations

import sys
import threading
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotrow.kernels import _compiled

WORTH_IT_BYTES: Final = 8 << 20
RECYCLED_BYTES: Final = 1 << 20

_SPARE: Final = 1.25
_MOST: Final = 4


def prefer_huge_pages(tensor: Tensor) -> None:
    """Advise huge pages for a large tensor that has not been written yet.

    Looking up random rows is bound by misses of the TLB as much as of the caches. Advice only: does
    nothing for small tensors, other devices, or without the compiled kernels.
    """
    kernels = _compiled.load()
    if kernels is not None and tensor.device.type == "cpu" and tensor.nbytes >= WORTH_IT_BYTES:
        kernels.advise_huge_pages(tensor.data_ptr(), tensor.nbytes)


def _references(pieces: list[NDArray[np.float32]]) -> list[int]:
    return [sys.getrefcount(piece) for piece in pieces]


_FREE: Final = _references([np.empty(0, dtype=np.float32)])[0]
"""References to a piece that only its list knows."""


class Recycler(threading.local):
    """Memory for large results, kept from batch to batch; each thread has its own.

    malloc gives back what is larger than 32 MiB, and the operating system's zeroing of new pages then takes
    several times as long as a lookup. A piece of memory is free once no tensor and no view of one refers to
    it; the free ones are let go of when none of them is of use: large enough, and not
    four times as large.
    """

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.float32]] = []

    def empty(self, rows: int, width: int) -> Tensor:
        """Return (rows, width) float32 in host memory, not initialised."""
        count = rows * width
        if count * 4 < RECYCLED_BYTES:
            return torch.empty(rows, width, dtype=torch.float32, device="cpu")
        return torch.from_numpy(self._piece(count)[:count]).view(rows, width)

    def _piece(self, count: int) -> NDArray[np.float32]:
        counts = zip(self._pieces, _references(self._pieces), strict=True)
        free = [piece for piece, references in counts if references == _FREE]
        for piece in free:
            if count <= piece.size <= _MOST * count:
                return piece
        self._pieces = [piece for piece in self._pieces if all(piece is not other for other in free)]
        memory = torch.empty(int(count * _SPARE), dtype=torch.float32, device="cpu")
        prefer_huge_pages(memory)
        self._pieces.append(memory.numpy())
        return self._pieces[-1]
