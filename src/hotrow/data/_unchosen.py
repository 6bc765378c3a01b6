"""Drawing items that a user never chose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.id_index import IdIndex

Ids = NDArray[np.integer[Any]]

_ROUNDS = 32
"""Redraws before the items left to a user are listed: one that has chosen 3 of 4 items needs that once
in 10,000 draws, one that has chosen nearly all needs it nearly always."""


class UnchosenItems:
    """Draws from the items that occur, uniformly among those that a user did not choose.

    Args:
        users_V: (V,) ids of who chose.
        items_V: (V,) ids of what was chosen; pairs may repeat.
        least: smaller ids stand for no certain item and are never drawn.

    Attributes:
        items: (I,) what is drawn from, ascending.
    """

    def __init__(self, users_V: Ids, items_V: Ids, *, least: int = 0) -> None:
        distinct = np.unique(items_V)
        self.items = distinct[distinct >= least]
        self._stride = np.uint64(int(distinct[-1]) + 1 if distinct.size else 1)
        pairs = np.unique(self._pairs(users_V, items_V))
        self._index = IdIndex(pairs)
        users, items = np.divmod(pairs, self._stride)
        self._users, firsts = np.unique(users, return_index=True)
        self._counts = np.add.reduceat(items >= least, firsts, dtype=np.int64)

    def without_choice(self) -> int | None:
        """Return a user who chose every item, None if there is none."""
        full = self._users[self._counts >= self.items.size]
        return int(full[0]) if full.size else None

    def draw(self, users_B: Ids, rng: np.random.Generator) -> Ids:
        """Draw an item for each user, independently.

        Args:
            users_B: (B,) ids; none of a user ``without_choice``.
            rng: all that the result depends on besides.

        Returns:
            (B,) ids of the dtype that the items had.
        """
        drawn_B = self._any(users_B.size, rng)
        again = np.flatnonzero(self._is_chosen(users_B, drawn_B))
        for _ in range(_ROUNDS):
            if not again.size:
                return drawn_B
            drawn_B[again] = self._any(again.size, rng)
            again = again[self._is_chosen(users_B[again], drawn_B[again])]
        for place in again.tolist():
            drawn_B[place] = rng.choice(self._left(users_B[place]))
        return drawn_B

    def _any(self, count: int, rng: np.random.Generator) -> Ids:
        return self.items[rng.integers(0, self.items.size, count)]

    def _left(self, user: np.integer[Any]) -> Ids:
        return self.items[~self._is_chosen(np.full(self.items.size, user), self.items)]

    def _is_chosen(self, users: Ids, items: Ids) -> NDArray[np.bool_]:
        return self._index.lookup(self._pairs(users, items)) >= 0

    def _pairs(self, users: Ids, items: Ids) -> NDArray[np.uint64]:
        return users.astype(np.uint64) * self._stride + items.astype(np.uint64)
