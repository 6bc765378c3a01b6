"""The gradient of per-lookup weights."""

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


def gradient_of_weights(
    tables: Sequence[Tensor], layout: Layout, bags: Bags, starts_F: Tensor, grad: Embedded
) -> Tensor:
    """Return the gradient of ``bags.weights`` for checked ids: one launch per row format and width."""
    ids, batch = bags.ids, bags.batch_size
    result = torch.zeros(ids.shape, dtype=torch.float32, device=ids.device)
    plan = feature_plan(layout, tables, ids.device)
    for group in plan.groups:
        blocks = tile(group.width, _MOST_COLUMNS)
        _weights_kernel[(triton.cdiv(batch, blocks["BLOCK_N"]), group.last - group.first)](
            plan.records[group.first :],
            ids,
            ids if bags.offsets is None else bags.offsets,
            starts_F,
            grad.pooled,
            grad.sequences,
            result,
            batch,
            bags.num_features,
            layout.pooled_width,
            FORMAT=group.format,
            WIDTH=group.width,
            ROW_BYTES=group.row_bytes,
            ALIGNED=group.aligned,
            UNPOOLED=group.unpooled,
            JAGGED=bags.offsets is not None,
            **blocks,
        )
    return result


@triton.jit
def _weights_kernel(
    records: tl.tensor,
    ids: tl.tensor,
    offsets: tl.tensor,
    starts: tl.tensor,
    pooled: tl.tensor,
    sequences: tl.tensor,
    result: tl.tensor,
    batch: tl.tensor,
    num_features: tl.tensor,
    pooled_width: tl.tensor,
    FORMAT: tl.constexpr,
    WIDTH: tl.constexpr,
    ROW_BYTES: tl.constexpr,
    ALIGNED: tl.constexpr,
    UNPOOLED: tl.constexpr,
    JAGGED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
) -> None:
    """Multiply the rows of a block of bags of one feature with the gradients of their places."""
    record = records + tl.program_id(1) * FIELDS
    feature, table = tl.load(record + FEATURE), tl.load(record + ADDRESS)
    bag_N = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    mask_N = bag_N < batch
    first_N, last_N = bag_bounds(offsets, bag_N, mask_N, feature, batch, num_features, JAGGED)
    longest = tl.max(last_N - first_N).to(tl.int32)
    count_N = tl.zeros((BLOCK_N,), tl.float32)
    for step in range(0, longest):
        row_N, kept_N = load_ids(ids, first_N + step, mask_N & (first_N + step < last_N), record)
        count_N += kept_N.to(tl.float32)
    count_N = tl.where(tl.load(record + POOLING) == MEAN, tl.maximum(count_N, 1.0), 1.0)
    for step in range(0, longest):
        position_N = first_N + step
        inside_N = mask_N & (position_N < last_N)
        row_N, kept_N = load_ids(ids, position_N, inside_N, record)
        if UNPOOLED:
            place_N = place_in_feature(offsets, position_N, bag_N, feature, batch, JAGGED)
            grad_N = sequences + tl.load(starts + feature) + place_N * WIDTH
        else:
            grad_N = pooled + bag_N * pooled_width + tl.load(record + COLUMN)
        product_N = tl.zeros((BLOCK_N,), tl.float32)
        for column in tl.static_range(0, WIDTH, BLOCK_D):
            column_D = column + tl.arange(0, BLOCK_D)
            mask_D = column_D < WIDTH
            value_ND = load_rows(table + row_N * ROW_BYTES, column_D, kept_N, mask_D, FORMAT, WIDTH, ALIGNED)
            mask_ND = kept_N[:, None] & mask_D[None, :]
            grad_ND = tl.load(grad_N[:, None] + column_D[None, :], mask=mask_ND, other=0.0)
            product_N += tl.sum(value_ND * grad_ND, axis=1)
        tl.store(result + position_N, product_N / count_N, mask=inside_N)
