"""Initial weights and optimizer states."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from hotrow.kernels.memory import prefer_huge_pages


def uniform_rows(name: str, rows: int, width: int, seed: int) -> Tensor:
    """Return (rows, width) float32, uniform in +-1/sqrt(rows), as DLRM's tables start.

    Each table draws from a stream of its own, named by seed and table, so that adding, removing or
    reordering tables leaves the others as they were.
    """
    bound = 1.0 / math.sqrt(rows)
    generator = torch.Generator().manual_seed(stream_seed(seed, name))
    rows_ED = torch.empty(rows, width, dtype=torch.float32)
    prefer_huge_pages(rows_ED)
    return rows_ED.uniform_(-bound, bound, generator=generator)


def zero_accumulators(rows: int) -> Tensor:
    """Return (rows,) float32 zeros, which take memory only as rows are touched."""
    sums_E = torch.zeros(rows, dtype=torch.float32)
    prefer_huge_pages(sums_E)
    return sums_E


def stream_seed(seed: int, name: str) -> int:
    """Return a 63-bit seed that differs for every (seed, name)."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
