"""The two families of distributions that synthetic columns are drawn from.

Both are inverses of a cumulative distribution, so that a column is a pure function of uniform
numbers: columns that depend on each other share them, and a second pass can draw the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 1 << 16
"""An integer column is drawn from this many equally likely values (its quantiles)."""

_FIRST_KNOTS = (-2, -1, 0, 1, 2, 3, 4, 6, 9, 13)
_KNOT_RATIO = 1.5


@dataclass(frozen=True, kw_only=True)
class IdLaw:
    """Ranks 0 .. rows - 1 of a categorical feature, by decreasing popularity.

    The most popular ranks have a share of their own; the others follow a Zipf-Mandelbrot law with
    density proportional to (x + q)^-s, whose inverse has a closed form: a draw costs one power
    whatever the number of rows, and no table grows with it.

    Attributes:
        rows: number of distinct ids.
        head: shares of the most popular ids; they sum to less than 1, fewer than ``rows``.
        q: shift of the law, in ranks; flattens its beginning.
        s: exponent of the law; not 1.
    """

    rows: int
    head: tuple[float, ...]
    q: float
    s: float

    def ranks(self, u: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the rank at each cumulative share ``u`` in [0, 1)."""
        bounds = np.cumsum(self.head)
        top = float(bounds[-1]) if self.head else 0.0
        tail_share = np.clip((u - top) / (1.0 - top), 0.0, 1.0)
        power = 1.0 - self.s
        first = (len(self.head) + self.q) ** power
        last = (self.rows + self.q) ** power
        # Rounding must not carry the sum past its end, which for steep laws is next to 0.
        powers = np.maximum(first + tail_share * (last - first), min(first, last))
        x = np.exp(np.log(powers) / power) - self.q
        ranks: NDArray[np.int32] = np.clip(x, len(self.head), self.rows - 1).astype(np.int32)
        if self.head:
            popular = np.searchsorted(bounds, u, side="right")
            np.copyto(ranks, popular, where=u < top, casting="same_kind")
        return ranks

    def tail_shares(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the share of each of the intervals between consecutive ``ranks`` (none below the head)."""
        power = 1.0 - self.s
        position = (ranks + self.q) ** power
        first = (len(self.head) + self.q) ** power
        last = (self.rows + self.q) ** power
        cumulative = (position - first) / (last - first) * (1.0 - sum(self.head))
        shares: NDArray[np.float64] = np.diff(cumulative)
        return shares


@dataclass(frozen=True, kw_only=True)
class IntegerLaw:
    """Values of an integer column, as shares of the intervals between shared knots.

    Attributes:
        shares: share of each interval of ``knots()``, from the first on; scaled to sum to 1.
    """

    shares: tuple[float, ...]

    def quantiles(self) -> NDArray[np.int64]:
        """Return the values at ``LEVELS`` evenly spaced cumulative shares, increasing.

        Within an interval the logarithm of the value is uniform, as counters' values roughly are.
        """
        edges = np.array(knots(len(self.shares) + 1), dtype=np.float64)
        cumulative = np.concatenate([[0.0], np.cumsum(self.shares)])
        u = (np.arange(LEVELS) + 0.5) / LEVELS * cumulative[-1]
        interval = np.clip(np.searchsorted(cumulative, u, side="right") - 1, 0, len(self.shares) - 1)
        low, high = edges[interval], edges[interval + 1]
        within = (u - cumulative[interval]) / (cumulative[interval + 1] - cumulative[interval])
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = low * (high / low) ** within
        value = np.where(high - low == 1, low, spread)
        values: NDArray[np.int64] = np.clip(np.floor(value), low, high - 1).astype(np.int64)
        return values


def knots(count: int) -> list[int]:
    """Return the first ``count`` interval boundaries: every small integer, then steps of half again."""
    values = list(_FIRST_KNOTS[:count])
    while len(values) < count:
        values.append(int(values[-1] * _KNOT_RATIO))
    return values
