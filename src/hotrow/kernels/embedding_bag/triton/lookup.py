"""The lookup fused with pooling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from hotrow.kernels.embedding_bag._types import Bags, Embedded, Layout
from hotrow.kernels.embedding_bag.triton.bags import bag_bounds, load_ids, place_in_feature
from hotrow.kernels.embedding_bag.triton.launch import tile
from hotrow.kernels.embedding_bag.triton.plan import (
    ADDRESS,
    COLUMN,
    FEATURE,
    FIELDS,
    MEAN,
    POOLING,
    feature_plan,
)
from hotrow.kernels.embedding_bag.triton.rows import load_rows

_MOST_COLUMNS = 256


def look_up(tables: Sequence[Tensor], layout: Layout, bags: Bags, starts_F: Tensor) -> Embedded:
    """Look up and pool checked ids: one launch for each row format and width.

    Args:
        tables: as for ``forward``.
        layout: likewise.
        bags: likewise, contiguous.
        starts_F: (F + 1,) int64 where each feature's rows begin in ``Embedded.sequences``.
    """
    ids, batch = bags.ids, bags.batch_size
    size = int(starts_F[-1]) if layout.sequence_features else 0
    pooled = torch.empty(batch, layout.pooled_width, dtype=torch.float32, device=ids.device)
    sequences = torch.empty(size, dtype=torch.float32, device=ids.device)
    plan = feature_plan(layout, tables, ids.device)
    for group in plan.groups:
        blocks = tile(group.width, _MOST_COLUMNS)
        grid = (
            triton.cdiv(batch, blocks["BLOCK_N"]),
            group.last - group.first,
            triton.cdiv(group.width, blocks["BLOCK_D"]),
        )
        _lookup_kernel[grid](
            plan.records[group.first :],
            ids,
            ids if bags.offsets is None else bags.offsets,
            ids if bags.weights is None else bags.weights,
            starts_F,
            pooled,
            sequences,
            batch,
            bags.num_features,
            layout.pooled_width,
            FORMAT=group.format,
            WIDTH=group.width,
            ROW_BYTES=group.row_bytes,
            ALIGNED=group.aligned,
            UNPOOLED=group.unpooled,
            JAGGED=bags.offsets is not None,
            WEIGHTED=bags.weights is not None,
            **blocks,
        )
    return Embedded(pooled, sequences)


@triton.jit
def _lookup_kernel(
    records: tl.tensor,
    ids: tl.tensor,
    offsets: tl.tensor,
    weights: tl.tensor,
    starts: tl.tensor,
    pooled: tl.tensor,
    sequences: tl.tensor,
    batch: tl.tensor,
    num_features: tl.tensor,
    pooled_width: tl.tensor,
    FORMAT: tl.constexpr,
    WIDTH: tl.constexpr,
    ROW_BYTES: tl.constexpr,
    ALIGNED: tl.constexpr,
    UNPOOLED: tl.constexpr,
    JAGGED: tl.constexpr,
    WEIGHTED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
) -> None:
    """Pool a block of bags and columns of one feature, lookup after lookup in order."""
    record = records + tl.program_id(1) * FIELDS
    feature, table = tl.load(record + FEATURE), tl.load(record + ADDRESS)
    bag_N = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    column_D = tl.program_id(2) * BLOCK_D + tl.arange(0, BLOCK_D)
    mask_N, mask_D = bag_N < batch, column_D < WIDTH
    first_N, last_N = bag_bounds(offsets, bag_N, mask_N, feature, batch, num_features, JAGGED)
    total_ND = tl.zeros((BLOCK_N, BLOCK_D), tl.float32)
    count_N = tl.zeros((BLOCK_N,), tl.float32)
    for step in range(0, tl.max(last_N - first_N).to(tl.int32)):
        position_N = first_N + step
        inside_N = mask_N & (position_N < last_N)
        row_N, kept_N = load_ids(ids, position_N, inside_N, record)
        value_ND = load_rows(table + row_N * ROW_BYTES, column_D, kept_N, mask_D, FORMAT, WIDTH, ALIGNED)
        if WEIGHTED:
            value_ND *= tl.load(weights + position_N, mask=kept_N, other=0.0)[:, None]
        if UNPOOLED:
            place_N = place_in_feature(offsets, position_N, bag_N, feature, batch, JAGGED)
            out_N = tl.load(starts + feature) + place_N * WIDTH
            mask_ND = inside_N[:, None] & mask_D[None, :]
            tl.store(sequences + out_N[:, None] + column_D[None, :], value_ND, mask=mask_ND)
        else:
            total_ND += value_ND
            count_N += kept_N.to(tl.float32)
    if not UNPOOLED:
        if tl.load(record + POOLING) == MEAN:
            total_ND = total_ND / tl.maximum(count_N, 1.0)[:, None]
        out_N = bag_N * pooled_width + tl.load(record + COLUMN)
        mask_ND = mask_N[:, None] & mask_D[None, :]
        tl.store(pooled + out_N[:, None] + column_D[None, :], total_ND, mask=mask_ND)
