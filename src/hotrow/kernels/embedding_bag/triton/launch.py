"""Sizes of launches."""

from __future__ import annotations

import triton

_TILE = 512
_ELEMENTS_OF_A_WARP = 256


def tile(width: int, most: int | None = None) -> dict[str, int]:
    """Return rows and columns of a program's tile over rows of D = ``width``, and its warps.

    Args:
        width: D.
        most: most columns of a tile; None for the whole row.
    """
    columns = triton.next_power_of_2(width) if most is None else min(most, triton.next_power_of_2(width))
    rows = max(1, _TILE // columns)
    return {"BLOCK_N": rows, "BLOCK_D": columns, "num_warps": warps(rows * columns)}


def warps(elements: int) -> int:
    """Return the warps of a program with that many elements in its tile."""
    return max(1, min(8, elements // _ELEMENTS_OF_A_WARP))
