"""Sampling items that a user never interacted with, uniformly and without trial and error.

Of I items a user has seen s_0 < s_1 < ...; the r-th unseen one is r + k, where k counts the seen items
with s_j - j <= r. That is one binary search a sample, however many items a user has seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import DataError


class UnseenItems:
    """The items that each user never interacted with.

    Args:
        users: (V,) keys of the interactions' users.
        items: (V,) keys of their items, of the same type as those to be sampled.
        source: for messages.

    Attributes:
        items: (I,) all items, sorted: what is sampled from.
    """

    def __init__(self, users: NDArray[np.int64], items: NDArray[np.int64], source: Path) -> None:
        self._source = source
        self._users, user_codes = np.unique(users, return_inverse=True)
        self.items, item_codes = np.unique(items, return_inverse=True)
        pairs = np.unique(user_codes * len(self.items) + item_codes)
        seen_users, seen_items = np.divmod(pairs, len(self.items))
        self._counts = np.bincount(seen_users, minlength=len(self._users))
        self._firsts = np.cumsum(self._counts) - self._counts
        gaps = seen_items - (np.arange(len(pairs)) - self._firsts[seen_users])
        self._points = seen_users * (len(self.items) + 1) + gaps

    def sample(self, users: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw ``count`` unseen items for each user, with repetition.

        Returns:
            (B, count) items.

        Raises:
            DataError: a user has seen everything.
        """
        codes = self._codes(users, 1)
        left = np.repeat((len(self.items) - self._counts[codes])[:, None], count, axis=1)
        return self._at(codes[:, None], rng.integers(0, left))

    def sample_distinct(
        self, users: NDArray[np.int64], count: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw ``count`` different unseen items for each user (Floyd's algorithm, for all users at once).

        Returns:
            (B, count) items; which of them comes first is not random.

        Raises:
            DataError: a user has fewer unseen items.
        """
        codes = self._codes(users, count)
        left = len(self.items) - self._counts[codes]
        drawn = np.empty((len(codes), count), dtype=np.int64)
        for done in range(count):
            last = left - count + done
            candidate = rng.integers(0, last + 1)
            is_taken = (drawn[:, :done] == candidate[:, None]).any(axis=1)
            drawn[:, done] = np.where(is_taken, last, candidate)
        return self._at(codes[:, None], drawn)

    def _at(self, codes: NDArray[np.int64], ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each user's ``rank``-th unseen item."""
        points = codes * (len(self.items) + 1) + ranks
        skipped = np.searchsorted(self._points, points, side="right") - self._firsts[codes]
        return self.items[ranks + skipped]

    def _codes(self, users: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        codes = np.searchsorted(self._users, users)
        left = len(self.items) - self._counts[codes]
        short = np.flatnonzero(left < count)
        if short.size:
            user = users[short[0]]
            raise DataError(
                self._source,
                f"user {user} has interacted with all but {left[short[0]]} of {len(self.items)} items, "
                f"expected at least {count} others to sample negatives from",
            )
        return codes
