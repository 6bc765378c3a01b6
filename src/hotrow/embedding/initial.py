"""Initial weights and optimizer states."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels.embedding_bag import ROW_STATES, STATES, OptimizerKind, TableSpec
from hotrow.kernels.memory import prefer_huge_pages
from hotrow.kernels.row_formats import FLOAT_DTYPES

_CHUNK = 1 << 22  # numbers drawn at once where they are then rounded to fewer bits
_LINE = 16  # numbers of a cache line


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


def zero_states(tables: Sequence[TableSpec], kind: OptimizerKind, device: torch.device) -> list[list[Tensor]]:
    """Return an optimizer's states of each table: float32 zeros, which take memory only as touched.

    All tables' states of one name share a piece of memory, so that those of small tables, too, lie on huge
    pages.
    """
    states: list[list[Tensor]] = [[] for _ in tables]
    for name in STATES[kind]:
        is_per_row = (kind, name) in ROW_STATES
        shapes = [(table.rows,) if is_per_row else (table.rows, table.width) for table in tables]
        sizes = [math.prod(shape) for shape in shapes]
        places = [-(-size // _LINE) * _LINE for size in sizes]
        memory = torch.zeros(sum(places), dtype=torch.float32, device=device)
        prefer_huge_pages(memory)
        parts = zip(states, torch.split(memory, places), sizes, shapes, strict=True)
        for of_table, part, size, shape in parts:
            of_table.append(part[:size].view(shape))
    return states


def stream_seed(seed: int, name: str) -> int:
    """Return a 63-bit seed that differs for every (seed, name)."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
