"""The settings that a climb may stand on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def batch_ladder(largest: int) -> list[int]:
    """Return powers of two and the points half-way between, up to ``largest``, which is the last.

    Two rungs up is twice as much, so a climb in strides of 2 stays on powers of two (1, 2, 4, 8 as well:
    1 and 2 have no point between them and come in twice as far).
    """
    if largest < 1:
        raise ValueError(f"got a largest query of {largest} rows, expected at least 1")
    rungs, power = [], 1
    while power < largest:
        rungs.append(power)
        if power > 1 and power * 3 // 2 < largest:
            rungs.append(power * 3 // 2)
        power *= 2
    return [*rungs, largest]


def threshold_ladder(sizes: Sequence[int]) -> list[int | None]:
    """Return thresholds that send different queries to the accelerator, from all of them to none.

    Args:
        sizes: (Q,) rows of queries, a sample of the load.

    Returns:
        Rungs of ``batch_ladder`` that split the sample differently, each raised to the smallest size that it
        sends; last None, for no query.
    """
    ordered = sorted(sizes)
    if not ordered:
        raise ValueError("got no sizes, expected at least one")
    starts = (bisect_left(ordered, rung) for rung in batch_ladder(ordered[-1]))
    return [*sorted({ordered[start] for start in starts}), None]


def nearest(ladder: Sequence[int], value: int) -> int:
    """Return the index of the rung nearest to ``value`` by ratio."""
    return min(range(len(ladder)), key=lambda index: max(ladder[index] / value, value / ladder[index]))
