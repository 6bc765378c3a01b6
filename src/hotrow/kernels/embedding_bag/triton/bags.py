"""What every kernel over bags does first: find its lookups and their ids."""

from __future__ import annotations

import triton
import triton.language as tl

from hotrow.kernels.embedding_bag.triton.plan import PADDED, PADDING


@triton.jit
def bag_bounds(
    offsets: tl.tensor,
    bag_B: tl.tensor,
    mask_B: tl.tensor,
    feature: tl.tensor,
    batch: tl.tensor,
    num_features: tl.tensor,
    JAGGED: tl.constexpr,
) -> tl.tensor:
    """Return where in ``ids`` the lookups of each bag of a feature begin and end."""
    if JAGGED:
        first_B = tl.load(offsets + feature * batch + bag_B, mask=mask_B, other=0)
        last_B = tl.load(offsets + feature * batch + bag_B + 1, mask=mask_B, other=0)
    else:
        first_B = bag_B * num_features + feature
        last_B = first_B + mask_B.to(tl.int64)
    return first_B, last_B


@triton.jit
def place_in_feature(
    offsets: tl.tensor,
    position: tl.tensor,
    bag: tl.tensor,
    feature: tl.tensor,
    batch: tl.tensor,
    JAGGED: tl.constexpr,
) -> tl.tensor:
    """Return the numbers, within the feature, of lookups at ``position`` in ``ids``."""
    return position - tl.load(offsets + feature * batch) if JAGGED else bag + position * 0


@triton.jit
def load_ids(ids: tl.tensor, position: tl.tensor, inside: tl.tensor, record: tl.tensor) -> tl.tensor:
    """Return ids as int64, and which of them are there and not padding."""
    row = tl.load(ids + position, mask=inside, other=0).to(tl.int64)
    padded = (tl.load(record + PADDED) == 1) & (row == tl.load(record + PADDING))
    return row, inside & ~padded
