"""The kernel that checks offsets and ids, and finds each lookup's key and gradient."""

from __future__ import annotations

from typing import Final

import triton
import triton.language as tl

from hotrow.kernels.embedding_bag.triton.bags import bag_bounds, load_ids, place_in_feature
from hotrow.kernels.embedding_bag.triton.plan import (
    BASE,
    COLUMN,
    FEATURE,
    FIELDS,
    MEAN,
    NONE,
    POOLING,
    ROWS,
    WIDTH,
)

NOTHING: Final = 2**63 - 1
"""A flag of which nothing was found."""

_NOTHING = tl.constexpr(NOTHING)


@triton.jit
def scan_kernel(
    records: tl.tensor,
    ids: tl.tensor,
    offsets: tl.tensor,
    weights: tl.tensor,
    starts: tl.tensor,
    flags: tl.tensor,
    keys: tl.tensor,
    sources: tl.tensor,
    scales: tl.tensor,
    pooled: tl.tensor,
    sequences: tl.tensor,
    batch: tl.tensor,
    total: tl.tensor,
    num_features: tl.tensor,
    pooled_width: tl.tensor,
    absent: tl.tensor,
    JAGGED: tl.constexpr,
    WEIGHTED: tl.constexpr,
    KEYED: tl.constexpr,
    SCALED: tl.constexpr,
    BLOCK_B: tl.constexpr,
    LANES: tl.constexpr,
) -> None:
    """Scan a block of bags of one feature."""
    record = records + tl.program_id(1) * FIELDS
    feature, rows = tl.load(record + FEATURE), tl.load(record + ROWS)
    bag_B = tl.program_id(0).to(tl.int64) * BLOCK_B + tl.arange(0, BLOCK_B)
    mask_B = bag_B < batch
    first_B, last_B = bag_bounds(offsets, bag_B, mask_B, feature, batch, num_features, JAGGED)
    if JAGGED:
        _check_offsets(flags, feature * batch + bag_B, first_B, last_B, mask_B, num_features * batch, total)
        first_B = tl.maximum(first_B, 0)
        last_B = tl.minimum(last_B, total)
    longest = tl.max(last_B - first_B).to(tl.int32)
    count_B = tl.zeros((BLOCK_B,), tl.float32) + 1.0
    if SCALED and tl.load(record + POOLING) == MEAN:
        count_B = _count_kept(ids, record, first_B, last_B, mask_B, longest, LANES)
    for step in range(0, longest, LANES):
        position_BL = first_B[:, None] + step + tl.arange(0, LANES)[None, :]
        inside_BL = mask_B[:, None] & (position_BL < last_B[:, None])
        row_BL, kept_BL = load_ids(ids, position_BL, inside_BL, record)
        place_BL = place_in_feature(offsets, position_BL, bag_B[:, None], feature, batch, JAGGED)
        lookup_BL = position_BL if JAGGED else feature * batch + place_BL
        _note(flags + 1, lookup_BL, kept_BL & ((row_BL < 0) | (row_BL >= rows)))
        if KEYED:
            key_BL = tl.where(kept_BL, tl.load(record + BASE) + row_BL, absent)
            tl.store(keys + lookup_BL, key_BL, mask=inside_BL)
            if tl.load(record + POOLING) == NONE:
                element_BL = tl.load(starts + feature) + place_BL * tl.load(record + WIDTH)
                source_BL = sequences.to(tl.int64) + element_BL * 4
            else:
                element_BL = bag_B[:, None] * pooled_width + tl.load(record + COLUMN) + position_BL * 0
                source_BL = pooled.to(tl.int64) + element_BL * 4
            tl.store(sources + lookup_BL, source_BL, mask=inside_BL)
        if SCALED:
            scale_BL = 1.0 / count_B[:, None] + tl.zeros((BLOCK_B, LANES), tl.float32)
            if WEIGHTED:
                scale_BL *= tl.load(weights + position_BL, mask=inside_BL, other=0.0)
            tl.store(scales + lookup_BL, scale_BL, mask=inside_BL)


@triton.jit
def _check_offsets(
    flags: tl.tensor,
    bag_B: tl.tensor,
    first_B: tl.tensor,
    last_B: tl.tensor,
    mask_B: tl.tensor,
    bags: tl.tensor,
    total: tl.tensor,
) -> None:
    wrong_B = (last_B < first_B) | (last_B > total)
    wrong_B |= (bag_B == 0) & (first_B != 0)
    wrong_B |= (bag_B == bags - 1) & (last_B != total)
    _note(flags, bag_B, mask_B & wrong_B)


@triton.jit
def _note(flag: tl.tensor, number: tl.tensor, wrong: tl.tensor) -> None:
    """Lower a flag to the smallest wrong number."""
    smallest = tl.min(tl.ravel(tl.where(wrong, number, _NOTHING)), axis=0)
    if smallest != _NOTHING:
        tl.atomic_min(flag, smallest)


@triton.jit
def _count_kept(
    ids: tl.tensor,
    record: tl.tensor,
    first_B: tl.tensor,
    last_B: tl.tensor,
    mask_B: tl.tensor,
    longest: tl.tensor,
    LANES: tl.constexpr,
) -> tl.tensor:
    count_B = tl.zeros_like(first_B)
    for step in range(0, longest, LANES):
        position_BL = first_B[:, None] + step + tl.arange(0, LANES)[None, :]
        inside_BL = mask_B[:, None] & (position_BL < last_B[:, None])
        _row_BL, kept_BL = load_ids(ids, position_BL, inside_BL, record)
        count_B += tl.sum(kept_BL.to(tl.int64), axis=1)
    return tl.maximum(count_B, 1).to(tl.float32)
