"""What every kernel over bags does first: find its lookups and their ids."""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

from hotrow.kernels.embedding_bag.triton.plan import PADDED, PADDING


@triton.jit
def bag_bounds(
    offsets: Any, bag_B: Any, mask_B: Any, feature: Any, batch: Any, num_features: Any, JAGGED: tl.constexpr
) -> Any:
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
    offsets: Any, position: Any, bag: Any, feature: Any, batch: Any, JAGGED: tl.constexpr
) -> Any:
    """Return the numbers, within the feature, of lookups at ``position`` in ``ids``."""
    if JAGGED:
        place = position - tl.load(offsets + feature * batch)
    else:
        place = bag + position * 0
    return place


@triton.jit
def load_ids(ids: Any, position: Any, inside: Any, record: Any) -> Any:
    """Return ids as int64, and which of them are there and not padding."""
    row = tl.load(ids + position, mask=inside, other=0).to(tl.int64)
    padded = (tl.load(record + PADDED) == 1) & (row == tl.load(record + PADDING))
    return row, inside & ~padded
