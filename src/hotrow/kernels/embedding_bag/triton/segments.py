"""Which lookups belong to which touched row, and the sums of rows that occur very often.

The gradients of a row are a segment of the sorted lookups. One program sums a segment in order, so
segments are first cut to ``_PIECE`` parts: each piece of a longer one becomes one partial sum, and
the partial sums take the place of the lookups, level after level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import triton
import triton.language as tl
from torch import Tensor

from hotrow.kernels.embedding_bag._types import Bags, Layout
from hotrow.kernels.embedding_bag.triton.launch import tile
from hotrow.kernels.embedding_bag.triton.plan import Group, key_bases
from hotrow.kernels.embedding_bag.triton.rows import load_float32
from hotrow.kernels.embedding_bag.triton.scan import Keyed, raise_flags

_PIECE = 64


@dataclass(frozen=True, slots=True)
class Segments:
    """The touched rows, U in number, sorted by key, and the M addends of their gradients.

    Attributes:
        keys: (U,) of the rows; the last may be that of padding.
        starts: (U,) int64, where each row's addends begin.
        counts: (U,) int64, how many there are.
        sources: (M,) int64 address of each addend, a float32 row.
        scales: (M,) float32 that it is multiplied by; None for ones.
        bounds: for each group of tables, where its rows begin among U; last, where they end.
        aligned: whether every addend begins at a multiple of 16 bytes.
        partials: holds the memory of partial sums among the sources.
    """

    keys: Tensor
    starts: Tensor
    counts: Tensor
    sources: Tensor
    scales: Tensor | None
    bounds: tuple[int, ...]
    aligned: bool
    partials: tuple[Tensor, ...] = ()


def find_segments(layout: Layout, bags: Bags, keyed: Keyed, groups: tuple[Group, ...]) -> Segments:
    """Sort the lookups by row and cut long segments; waits for the device.

    Raises:
        BadOffsetsError: offsets decrease or leave ``ids``.
        BadIdError: an id is outside its table.
    """
    keys_L, order_L = torch.sort(keyed.keys, stable=True)
    keys_U, counts_U = torch.unique_consecutive(keys_L, return_counts=True)
    bounds_G = torch.searchsorted(keys_U, _group_bases(layout, groups, keys_U))
    longest = counts_U.masked_fill(keys_U == keyed.absent, 0).amax().view(1)
    found = torch.cat([keyed.flags, longest, bounds_G]).tolist()
    raise_flags(found[:2], bags)
    scales = None if keyed.scales is None else keyed.scales[order_L]
    starts_U = counts_U.cumsum(0) - counts_U
    sources, bounds = keyed.sources[order_L], tuple(found[3:])
    segments = Segments(keys_U, starts_U, counts_U, sources, scales, bounds, keyed.aligned)
    return _cut(segments, groups, found[2])


def _group_bases(layout: Layout, groups: tuple[Group, ...], keys: Tensor) -> Tensor:
    """Return the first key of each group of tables and, last, the number of keys."""
    bases = sorted(key_bases(layout)[:-1])
    firsts = [bases[group.first] for group in groups]
    return torch.tensor([*firsts, key_bases(layout)[-1]], dtype=keys.dtype).to(keys.device)


def _cut(segments: Segments, groups: tuple[Group, ...], longest: int) -> Segments:
    while longest > _PIECE:
        segments = _sum_pieces(segments, groups)
        longest = -(-longest // _PIECE)
    return segments


def _sum_pieces(segments: Segments, groups: tuple[Group, ...]) -> Segments:
    """Replace the addends of long segments by the sums of their pieces, P in number."""
    rows, counts_U, device = segments.bounds[-1], segments.counts, segments.keys.device
    pieces_U = torch.where(counts_U > _PIECE, (counts_U + _PIECE - 1) // _PIECE, 0)
    pieces_U[rows:] = 0  # padding
    ends_U = torch.nn.functional.pad(pieces_U.cumsum(0), (1, 0))
    bounds = ends_U[torch.tensor(segments.bounds).to(device)].tolist()
    total, addends = bounds[-1], segments.sources.numel()
    segment_P = torch.repeat_interleave(pieces_U, output_size=total)
    skipped_P = (torch.arange(total, device=device) - ends_U[segment_P]) * _PIECE
    counts_P = (counts_U[segment_P] - skipped_P).clamp(max=_PIECE)
    pieces = replace(segments, starts=segments.starts[segment_P] + skipped_P, counts=counts_P)
    stride = max(triton.cdiv(group.width, 4) * 4 for group in groups)
    partials_PD = torch.empty(total, stride, dtype=torch.float32, device=device)
    for number, group in enumerate(groups):
        _sum_group(pieces, group, bounds[number], bounds[number + 1], partials_PD)
    sources_P = partials_PD.data_ptr() + torch.arange(total, device=device) * (stride * 4)
    scales = None if segments.scales is None else torch.cat([segments.scales, partials_PD.new_ones(total)])
    return replace(
        segments,
        starts=torch.where(pieces_U > 0, addends + ends_U[:-1], segments.starts),
        counts=torch.where(pieces_U > 0, pieces_U, counts_U),
        sources=torch.cat([segments.sources, sources_P]),
        scales=scales,
        partials=(*segments.partials, partials_PD),
    )


def _sum_group(pieces: Segments, group: Group, first: int, last: int, partials_PD: Tensor) -> None:
    if first == last:
        return
    blocks = tile(group.width)
    _partial_kernel[(triton.cdiv(last - first, blocks["BLOCK_N"]),)](
        pieces.starts,
        pieces.counts,
        pieces.sources,
        pieces.sources if pieces.scales is None else pieces.scales,
        partials_PD,
        first,
        last,
        partials_PD.shape[1],
        WIDTH=group.width,
        SCALED=pieces.scales is not None,
        ADDENDS_ALIGNED=pieces.aligned,
        **blocks,
    )


@triton.jit
def _partial_kernel(
    starts: tl.tensor,
    counts: tl.tensor,
    sources: tl.tensor,
    scales: tl.tensor,
    partials: tl.tensor,
    first: tl.tensor,
    last: tl.tensor,
    stride: tl.tensor,
    WIDTH: tl.constexpr,
    SCALED: tl.constexpr,
    ADDENDS_ALIGNED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
) -> None:
    piece_N = first + tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    column_D = tl.arange(0, BLOCK_D)
    mask_N, mask_D = piece_N < last, column_D < WIDTH
    total_ND = sum_segments(
        starts, counts, sources, scales, piece_N, mask_N, column_D, mask_D, SCALED, ADDENDS_ALIGNED
    )
    out_ND = partials + (piece_N * stride)[:, None] + column_D[None, :]
    tl.store(out_ND, total_ND, mask=mask_N[:, None] & mask_D[None, :])


@triton.jit
def sum_segments(
    starts: tl.tensor,
    counts: tl.tensor,
    sources: tl.tensor,
    scales: tl.tensor,
    segment_N: tl.tensor,
    mask_N: tl.tensor,
    column_D: tl.tensor,
    mask_D: tl.tensor,
    SCALED: tl.constexpr,
    ALIGNED: tl.constexpr,
) -> tl.tensor:
    """Return the sums (N, D) of whole segments, addend after addend in order."""
    start_N = tl.load(starts + segment_N, mask=mask_N, other=0)
    count_N = tl.load(counts + segment_N, mask=mask_N, other=0)
    total_ND = tl.zeros((mask_N.shape[0], mask_D.shape[0]), tl.float32)
    for step in range(0, tl.max(count_N).to(tl.int32)):
        inside_N = step < count_N
        address_N = tl.load(sources + start_N + step, mask=inside_N, other=0)
        grad_ND = load_float32(address_N, column_D, inside_N[:, None] & mask_D[None, :], ALIGNED)
        if SCALED:
            grad_ND *= tl.load(scales + start_N + step, mask=inside_N, other=0.0)[:, None]
        total_ND += grad_ND
    return total_ND
