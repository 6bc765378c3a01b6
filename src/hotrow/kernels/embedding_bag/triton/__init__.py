"""The lookup and its fused backward in Triton: for GPUs, and on the CPU under ``TRITON_INTERPRET=1``.

Every function waits for the device once, to raise what its checks found before anything is written;
jagged features without pooling cost one more wait, for the size of the result, and rows that occur
more than 4096 times in a batch one each for the further levels of their sums. Sums are taken in a
fixed order without atomic additions, so equal inputs give equal bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.embedding_bag._types import Bags, Embedded, Layout
from hotrow.kernels.embedding_bag.triton.launch import on_device
from hotrow.kernels.embedding_bag.triton.lookup import look_up
from hotrow.kernels.embedding_bag.triton.plan import feature_plan
from hotrow.kernels.embedding_bag.triton.scan import check, sequence_starts

__all__ = ["forward"]


def forward(tables: Sequence[Tensor], layout: Layout, bags: Bags) -> Embedded:
    """Look up and pool: see ``_types.Implementation``."""
    note_path("embedding_bag_forward", "triton")
    bags = _contiguous(bags)
    with on_device(bags.ids.device):
        check(bags, feature_plan(layout, tables, bags.ids.device).records)
        return look_up(tables, layout, bags, sequence_starts(layout, bags))


def _contiguous(bags: Bags) -> Bags:
    weights = None if bags.weights is None else bags.weights.contiguous()
    offsets = None if bags.offsets is None else bags.offsets.contiguous()
    return replace(bags, ids=bags.ids.contiguous(), offsets=offsets, weights=weights)
