"""Initial weights and optimizer states."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from hotrow.kernels.embedding_bag import ROW_STATES, STATES, OptimizerKind, TableSpec
from hotrow.kernels.memory import prefer_huge_pages
from hotrow.kernels.row_formats import FLOAT_DTYPES

_CHUNK = 1 << 22  # numbers drawn at once where they are then rounded to fewer bits


def uniform_rows(table: TableSpec, seed: int) -> Tensor:
    """Return (E, D) in a table's format, uniform in +-1/sqrt(E), as DLRM's tables start.

    Each table draws from a stream of its own, named by seed and table, so that adding, removing or
    reordering tables leaves the others as they were.
    """
    bound = 1.0 / math.sqrt(table.rows)
    generator = torch.Generator().manual_seed(stream_seed(seed, table.name))
    rows_ED = torch.empty(table.rows, table.width, dtype=FLOAT_DTYPES[table.format], device="cpu")
    prefer_huge_pages(rows_ED)
    if rows_ED.dtype == torch.float32:
        return rows_ED.uniform_(-bound, bound, generator=generator)
    for part in torch.split(rows_ED.flatten(), _CHUNK):
        part.copy_(
            torch.empty(part.numel(), dtype=torch.float32, device="cpu").uniform_(
                -bound, bound, generator=generator
            )
        )
    return rows_ED


def zero_states(table: TableSpec, kind: OptimizerKind, device: torch.device) -> list[Tensor]:
    """Return an optimizer's states of one table: float32 zeros, which take memory only as touched."""
    states = []
    for name in STATES[kind]:
        shape = (table.rows,) if (kind, name) in ROW_STATES else (table.rows, table.width)
        state = torch.zeros(shape, dtype=torch.float32, device=device)
        prefer_huge_pages(state)
        states.append(state)
    return states


def stream_seed(seed: int, name: str) -> int:
    """Return a 63-bit seed that differs for every (seed, name)."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
