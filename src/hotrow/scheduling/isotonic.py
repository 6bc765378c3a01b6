"""Isotonic regression: the nearest sequence that never falls."""

from __future__ import annotations

from collections.abc import Sequence


def non_decreasing(values: Sequence[float]) -> list[float]:
    """Return the never falling sequence with the least sum of squared distances to ``values``.

    Pool adjacent violators (Ayer et al., 1955): neighbours that fall become
    their mean, until none fall.
    """
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, count = value, 1
        while blocks and blocks[-1][0] > mean:
            before, times = blocks.pop()
            mean, count = (before * times + mean * count) / (times + count), times + count
        blocks.append((mean, count))
    return [mean for mean, count in blocks for _ in range(count)]
