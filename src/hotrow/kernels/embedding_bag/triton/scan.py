"""One pass over the ids: checks, and for a backward the key and gradient of every lookup."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from hotrow.kernels.embedding_bag._types import BadIdError, BadOffsetsError, Bags, Embedded, Layout
from hotrow.kernels.embedding_bag.triton.bags import bag_bounds, load_ids, place_in_feature
from hotrow.kernels.embedding_bag.triton.launch import warps
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
    key_bases,
)

_NOTHING = 2**63 - 1
_NOTHING_FOUND = tl.constexpr(_NOTHING)
_TILE = 512
_MOST_LANES = 32


@dataclass(frozen=True, slots=True)
class Keyed:
    """The lookups of a batch, n in number, in order of features, then bags.

    Attributes:
        keys: (n,) int32 or int64, the row among those of all tables; ``absent`` for padding.
        sources: (n,) int64 address of the gradient's row, float32.
        scales: (n,) float32 that the gradient is multiplied by; None for ones.
        flags: (2,) as ``raise_flags`` takes them.
        absent: number of rows of all tables.
        aligned: whether every gradient's row begins at a multiple of 16 bytes.
    """

    keys: Tensor
    sources: Tensor
    scales: Tensor | None
    flags: Tensor
    absent: int
    aligned: bool


def sequence_starts(layout: Layout, bags: Bags) -> Tensor:
    """Return (F + 1,) int64, where each feature's rows begin in ``Embedded.sequences``, and their end.

    Of no meaning where no feature is unpooled.
    """
    ids, batch = bags.ids, bags.batch_size
    starts_F = torch.zeros(bags.num_features + 1, dtype=torch.int64, device=ids.device)
    if not layout.sequence_features or not batch:
        return starts_F
    widths = [layout.tables[f.table].width * (f.pooling == "none") for f in layout.features]
    sizes_F = torch.tensor(widths, device=ids.device)
    sizes_F *= batch if bags.offsets is None else bags.offsets[::batch].diff()
    torch.cumsum(sizes_F, 0, out=starts_F[1:])
    return starts_F


def check(bags: Bags, records: Tensor) -> None:
    """Check offsets and ids in one launch, and wait for the answer.

    Raises:
        BadOffsetsError: offsets decrease or leave ``ids``.
        BadIdError: an id is outside its table.
    """
    flags = _new_flags(bags)
    _scan(bags, records, flags, None, None)
    raise_flags(flags.tolist(), bags)


def gather_keys(layout: Layout, bags: Bags, records: Tensor, starts_F: Tensor, grad: Embedded) -> Keyed:
    """Return what the backward needs of each lookup; nothing is waited for or raised."""
    ids, absent = bags.ids, key_bases(layout)[-1]
    has_scales = bags.weights is not None or any(f.pooling == "mean" for f in layout.features)
    keyed = Keyed(
        torch.empty(ids.numel(), dtype=torch.int32 if absent < 2**31 - 1 else torch.int64, device=ids.device),
        torch.empty(ids.numel(), dtype=torch.int64, device=ids.device),
        torch.empty(ids.numel(), dtype=torch.float32, device=ids.device) if has_scales else None,
        _new_flags(bags),
        absent,
        all(table.width % 4 == 0 for table in layout.tables)
        and (grad.pooled.data_ptr() | grad.sequences.data_ptr()) % 16 == 0,
    )
    _scan(bags, records, keyed.flags, keyed, (starts_F, grad))
    return keyed


def raise_flags(flags: list[int], bags: Bags) -> None:
    """Raise what a scan found.

    Args:
        flags: the first wrong bag and the first wrong lookup, in order of features, or ``_NOTHING``.
        bags: what was scanned.
    """
    bag, lookup = flags
    if bag != _NOTHING:
        raise BadOffsetsError(bag)
    if bags.batch_size == 0 and bags.ids.numel():
        raise BadOffsetsError(-1)
    if lookup == _NOTHING:
        return
    if bags.offsets is None:
        feature, position = divmod(lookup, bags.batch_size)
        raise BadIdError(feature, position, int(bags.ids[position, feature]))
    starts = bags.offsets[:: bags.batch_size].tolist()
    feature = max(f for f in range(bags.num_features) if starts[f] <= lookup)
    raise BadIdError(feature, lookup - starts[feature], int(bags.ids[lookup]))


def _new_flags(bags: Bags) -> Tensor:
    return torch.full((2,), _NOTHING, dtype=torch.int64, device=bags.ids.device)


def _scan(
    bags: Bags,
    records: Tensor,
    flags: Tensor,
    keyed: Keyed | None,
    of_grad: tuple[Tensor, Embedded] | None,
) -> None:
    ids, batch, features = bags.ids, bags.batch_size, bags.num_features
    if not batch or not features:
        return
    lanes = min(_MOST_LANES, triton.next_power_of_2(max(1, ids.numel() // (batch * features))))
    unused = flags
    starts_F, grad = of_grad or (unused, Embedded(unused, unused))
    _scan_kernel[(triton.cdiv(batch, _TILE // lanes), features)](
        records,
        ids,
        unused if bags.offsets is None else bags.offsets,
        unused if bags.weights is None else bags.weights,
        starts_F,
        flags,
        unused if keyed is None else keyed.keys,
        unused if keyed is None else keyed.sources,
        unused if keyed is None or keyed.scales is None else keyed.scales,
        grad.pooled,
        grad.sequences,
        batch,
        ids.numel(),
        features,
        grad.pooled.shape[-1],
        0 if keyed is None else keyed.absent,
        JAGGED=bags.offsets is not None,
        WEIGHTED=bags.weights is not None,
        KEYED=keyed is not None,
        SCALED=keyed is not None and keyed.scales is not None,
        BLOCK_B=_TILE // lanes,
        LANES=lanes,
        num_warps=warps(_TILE),
    )


@triton.jit
def _scan_kernel(
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
    if SCALED:
        if tl.load(record + POOLING) == MEAN:
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
    flags: tl.tensor, bag_B: tl.tensor, first_B: tl.tensor, last_B: tl.tensor, mask_B: tl.tensor, bags: tl.tensor, total: tl.tensor
) -> None:
    wrong_B = (last_B < first_B) | (last_B > total)
    wrong_B |= (bag_B == 0) & (first_B != 0)
    wrong_B |= (bag_B == bags - 1) & (last_B != total)
    _note(flags, bag_B, mask_B & wrong_B)


@triton.jit
def _note(flag: tl.tensor, number: tl.tensor, wrong: tl.tensor) -> None:
    """Lower a flag to the smallest wrong number."""
    smallest = tl.min(tl.ravel(tl.where(wrong, number, _NOTHING_FOUND)), axis=0)
    if smallest != _NOTHING_FOUND:
        tl.atomic_min(flag, smallest)


@triton.jit
def _count_kept(
    ids: tl.tensor, record: tl.tensor, first_B: tl.tensor, last_B: tl.tensor, mask_B: tl.tensor, longest: tl.tensor, LANES: tl.constexpr
) -> tl.tensor:
    count_B = tl.zeros_like(first_B)
    for step in range(0, longest, LANES):
        position_BL = first_B[:, None] + step + tl.arange(0, LANES)[None, :]
        inside_BL = mask_B[:, None] & (position_BL < last_B[:, None])
        row_BL, kept_BL = load_ids(ids, position_BL, inside_BL, record)
        count_B += tl.sum(kept_BL.to(tl.int64), axis=1)
    return tl.maximum(count_B, 1).to(tl.float32)
