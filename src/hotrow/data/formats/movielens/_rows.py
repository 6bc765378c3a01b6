"""Raw rows and their schema from users, items, labels and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats.movielens._side import Side
from hotrow.data.keys import integer_keys
from hotrow.data.raw import RawBlock, RawList
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, ListFeature, Schema

USER, ITEM, HISTORY, GENRES = "user", "item", "history", "genres"


@dataclass(frozen=True, slots=True)
class Examples:
    """B rows of one split.

    Attributes:
        users: (B,) int64.
        items: (B,) int64.
        labels: (B,) float32.
        history: keys of earlier items, or None.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    labels: NDArray[np.float32]
    history: RawList | None = None


def with_negatives(positives: Examples, negatives: NDArray[np.int64]) -> Examples:
    """Put each positive's negatives behind it.

    Args:
        positives: B rows.
        negatives: (B, n) items.

    Returns:
        B * (1 + n) rows; the labels of all negatives are 0.
    """
    each = 1 + negatives.shape[1]
    labels = np.zeros((len(negatives), each), dtype=np.float32)
    labels[:, 0] = positives.labels
    history = positives.history
    if history is not None:
        history = history.take(np.repeat(np.arange(len(negatives)), each))
    items = np.concatenate((positives.items[:, None], negatives), axis=1)
    return Examples(np.repeat(positives.users, each), items.ravel(), labels.ravel(), history)


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Makes rows of examples, all with the same features.

    Attributes:
        label: the label's name.
        users: what is known of users, or None.
        items: what is known of items, or None.
        history: longest history; 0 for no such feature.
    """

    label: str
    users: Side | None
    items: Side | None
    history: int

    def schema(self) -> Schema:
        """Return the schema of the rows, its numbers of ids still open."""
        texts = [*(self.users.texts if self.users else ()), *(self.items.texts if self.items else ())]
        ids = [CategoricalFeature(name=name, rows=RESERVED_IDS, key_type="integer") for name in (USER, ITEM)]
        more = [CategoricalFeature(name=name, rows=RESERVED_IDS, key_type="text") for name in texts]
        lists = []
        if self.history:
            lists.append(
                ListFeature(
                    name=HISTORY, kind="sequence", rows=RESERVED_IDS, of=ITEM, max_length=self.history
                )
            )
        if self.items is not None and self.items.genres is not None:
            lists.append(ListFeature(name=GENRES, kind="bag", rows=RESERVED_IDS, key_type="text"))
        return Schema(
            format="movielens",
            label=self.label,
            dense=(),
            categorical=(*ids, *more),
            lists=tuple(lists),
            group=USER,
        )

    def block(self, examples: Examples) -> RawBlock:
        """Return the raw rows of examples."""
        users, items = examples.users, examples.items
        keys = [integer_keys(users), integer_keys(items)]
        if self.users is not None:
            keys += [self.users.text_of(name, users) for name in self.users.texts]
        if self.items is not None:
            keys += [self.items.text_of(name, items) for name in self.items.texts]
        lists = []
        if examples.history is not None:
            lists.append(examples.history)
        if self.items is not None and self.items.genres is not None:
            lists.append(_genres_of(self.items, items))
        return RawBlock(np.empty((len(users), 0)), np.stack(keys), examples.labels, tuple(lists), users)


def _genres_of(side: Side, items: NDArray[np.int64]) -> RawList:
    assert side.genres is not None
    rows = side.rows_of(items)
    known = rows >= 0
    found = side.genres.take(rows)
    return replace(found, starts=np.where(known, found.starts, 0), lengths=np.where(known, found.lengths, 0))
