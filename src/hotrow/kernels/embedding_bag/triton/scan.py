"""One pass over the ids: checks, and for a backward the key and gradient of every lookup."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from hotrow.kernels.embedding_bag._types import BadIdError, BadOffsetsError, Bags, Embedded, Layout
from hotrow.kernels.embedding_bag.triton.launch import warps
from hotrow.kernels.embedding_bag.triton.plan import key_bases
from hotrow.kernels.embedding_bag.triton.scan_kernel import NOTHING, scan_kernel

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
        flags: the first wrong bag and the first wrong lookup, in order of features, or ``NOTHING``.
        bags: what was scanned.
    """
    bag, lookup = flags
    if bag != NOTHING:
        raise BadOffsetsError(bag)
    if bags.batch_size == 0 and bags.ids.numel():
        raise BadOffsetsError(-1)
    if lookup == NOTHING:
        return
    if bags.offsets is None:
        feature, position = divmod(lookup, bags.batch_size)
        raise BadIdError(feature, position, int(bags.ids[position, feature]))
    starts = bags.offsets[:: bags.batch_size].tolist()
    feature = max(f for f in range(bags.num_features) if starts[f] <= lookup)
    raise BadIdError(feature, lookup - starts[feature], int(bags.ids[lookup]))


def _new_flags(bags: Bags) -> Tensor:
    return torch.full((2,), NOTHING, dtype=torch.int64, device=bags.ids.device)


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
    scan_kernel[(triton.cdiv(batch, _TILE // lanes), features)](
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
