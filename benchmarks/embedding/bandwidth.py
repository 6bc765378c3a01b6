"""How fast this machine reads random rows: the bound on a lookup of the same rows.

``random`` reads uniformly drawn rows; ``same`` reads as often the same row as the batch does, so it
gains as much from caches as a lookup may. Both read whole rows, with prefetch and all threads, from
a buffer of the tables' size on huge pages, and do no more with them than an addition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from benchmarks.embedding.ids import Ids
from benchmarks.embedding.shapes import Shape
from benchmarks.embedding.timing import Call
from hotrow.kernels import _compiled
from hotrow.kernels.memory import prefer_huge_pages

DISTANCES: Final = (16, 32, 64, 128)
"""Rows that the prefetch runs ahead; the best of them counts."""


def readers(shape: Shape, row_bytes: int, batches: Sequence[Ids]) -> dict[str, Call]:
    """Return the calls that read as many rows as each batch, by ``random@DISTANCE`` and ``same@DISTANCE``.

    Args:
        shape: of the tables.
        row_bytes: bytes of a row.
        batches: what the contenders look up.
    """
    rows = sum(shape.rows)
    buffer = torch.empty(rows * row_bytes, dtype=torch.uint8)
    prefer_huge_pages(buffer)
    buffer.fill_(1)
    drawn = [torch.randint(0, rows, (shape.lookups,)) for _ in batches]
    same = [_places(shape, ids) for ids in batches]
    calls = {}
    for number, distance in enumerate(DISTANCES):
        # Each distance reads other rows: those of the distance before are still in the cache.
        away = rows * number // len(DISTANCES)
        calls[f"random@{distance}"] = _reader(buffer, rows, [(ids + away) % rows for ids in drawn], distance)
        calls[f"same@{distance}"] = _reader(buffer, rows, [(ids + away) % rows for ids in same], distance)
    return calls


def best(times: Mapping[str, float], kind: str) -> float:
    """Return the shortest time of the readers of one kind, ``random`` or ``same``."""
    return min(times[f"{kind}@{distance}"] for distance in DISTANCES)


def _places(shape: Shape, ids: Ids) -> Tensor:
    """Return (L,) rows of the tables put one after the other."""
    firsts = torch.tensor((0, *shape.rows)).cumsum(0)
    return torch.cat([part + first for part, first in zip(ids.of_table, firsts[:-1], strict=True)])


def _reader(buffer: Tensor, rows: int, ids: Sequence[Tensor], distance: int) -> Call:
    read, threads = _compiled.require().read_random_rows, torch.get_num_threads()
    row_bytes = buffer.numel() // rows
    return lambda batch: read(buffer.data_ptr(), rows, row_bytes, ids[batch], distance, threads)
