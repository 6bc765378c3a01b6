"""Steps in order of time, as recurrent networks take them: torch's PackedSequence without its waits.

Rows are ranked by length, longest first. Packed steps are the first steps of all rows by rank, then the
second steps of those that have one, and so on: what runs at one time lies side by side, nothing is padded.

Shapes: B batch (rows), L steps of all rows, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hotrow.layers.jagged import Segments


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """An order of steps.

    Attributes:
        order: (L,) int64; packed step p is step ``order[p]`` of the flat order.
        places: (L,) int64, the inverse: step l is packed step ``places[l]``.
        ranks: (B,) int64, the rank of each row.
        sizes: (L,) int64; how many rows have a step at each time, then zeros.
    """

    order: Tensor
    places: Tensor
    ranks: Tensor
    sizes: Tensor

    def pack(self, x_LD: Tensor) -> Tensor:
        """Bring steps, (L,) or (L, D), from the flat order into the packed one."""
        return _permute(x_LD, self.order, self.places)

    def unpack(self, x_LD: Tensor) -> Tensor:
        """Bring steps back into the flat order."""
        return _permute(x_LD, self.places, self.order)


def make_packing(segments: Segments) -> Packing:
    """Return the packed order; time and memory in proportion to B + L."""
    lengths, rows, steps = segments.lengths, segments.rows, segments.steps
    by_rank = lengths.argsort(descending=True, stable=True)
    ranks = torch.empty_like(by_rank).scatter_(0, by_rank, torch.arange(len(by_rank), device=rows.device))
    times = steps - segments.offsets.index_select(0, rows)
    sizes = torch.zeros_like(steps).scatter_add_(0, times, torch.ones_like(times))
    places = (sizes.cumsum(0) - sizes).index_select(0, times) + ranks.index_select(0, rows)
    return Packing(torch.empty_like(steps).scatter_(0, places, steps), places, ranks, sizes)


def _permute(x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
    if torch.compiler.is_compiling():
        return x.index_select(0, order)
    out: Tensor = _Permute.apply(x, order, inverse)  # type: ignore[no-untyped-call]
    return out


class _Permute(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(0, order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (inverse,) = ctx.saved_tensors
        return grad.index_select(0, inverse), None, None
