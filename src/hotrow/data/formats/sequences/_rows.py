"""Raw rows and their schema from events, targets and negatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats._runs import run_starts
from hotrow.data.formats.sequences._attributes import Attributes
from hotrow.data.formats.sequences._events import Events
from hotrow.data.keys import key_integers
from hotrow.data.raw import RawBlock, RawList
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, KeyType, ListFeature, Schema

USER, ITEM, HISTORY = "user", "item", "history"
ATTRIBUTE, ATTRIBUTES, HISTORY_ATTRIBUTE = "attribute", "attributes", "history_attribute"


@dataclass(frozen=True)
class RowMaker:
    """Makes rows of targets.

    Attributes:
        events: of all users; histories are slices of them.
        attributes: of items, or None.
        ids: how users and items become keys.
        max_history: longest history.
    """

    events: Events
    attributes: Attributes | None
    ids: Literal["integer", "text"]
    max_history: int

    def schema(self) -> Schema:
        """Return the schema of the rows, its numbers of ids still open."""
        categorical = [
            CategoricalFeature(name=name, rows=RESERVED_IDS, key_type=self.ids) for name in (USER, ITEM)
        ]
        lists = [self._sequence(HISTORY, ITEM, self.ids)]
        if self.attributes is not None:
            categorical.append(CategoricalFeature(name=ATTRIBUTE, rows=RESERVED_IDS, key_type="integer"))
            lists.append(self._sequence(HISTORY_ATTRIBUTE, ATTRIBUTE, "integer"))
            longest = max(1, int(self.attributes.lengths.max()))
            lists.append(
                ListFeature(
                    name=ATTRIBUTES, kind="bag", rows=RESERVED_IDS, key_type="integer", max_length=longest
                )
            )
        return Schema(
            format="sequences",
            label="click",
            dense=(),
            categorical=tuple(categorical),
            lists=tuple(lists),
            group=USER,
        )

    def _sequence(self, name: str, of: str, key_type: KeyType) -> ListFeature:
        return ListFeature(
            name=name,
            kind="sequence",
            rows=RESERVED_IDS,
            of=of,
            key_type=key_type,
            max_length=self.max_history,
        )

    def block(self, targets: NDArray[np.int64], negatives: NDArray[np.uint64]) -> RawBlock:
        """Return the rows of targets: each event itself, and behind it its negatives.

        Args:
            targets: (B,) positions of events.
            negatives: (B, n) keys of items.
        """
        each = 1 + negatives.shape[1]
        users = np.repeat(self.events.users[targets], each)
        items = np.concatenate((self.events.items[targets, None], negatives), axis=1).ravel()
        labels = np.zeros((len(targets), each), dtype=np.float32)
        labels[:, 0] = 1
        keys = [users, items]
        lists = self._histories(targets, each)
        if self.attributes is not None:
            keys.append(self.attributes.first_of(items))
            lists.append(RawList(self.attributes.keys, *self.attributes.slices_of(items)))
        return RawBlock(
            dense=np.empty((len(users), 0)),
            keys=np.stack(keys),
            labels=labels.ravel(),
            lists=tuple(lists),
            groups=key_integers(users),
        )

    def _histories(self, targets: NDArray[np.int64], each: int) -> list[RawList]:
        """Return the items before each target, and if they have some their first attributes."""
        earlier = self.events.earlier[targets]
        lengths = np.minimum(earlier, self.max_history)
        starts = self._user_starts[targets] + earlier - lengths
        starts, lengths = np.repeat(starts, each), np.repeat(lengths, each)
        found = [RawList(self.events.items, starts, lengths)]
        if self.attributes is not None:
            found.append(RawList(self._first_attributes, starts, lengths))
        return found

    @cached_property
    def _user_starts(self) -> NDArray[np.int64]:
        """Where each event's user begins, (V,)."""
        return run_starts(self.events.users)

    @cached_property
    def _first_attributes(self) -> NDArray[np.uint64]:
        """The first attribute of each event's item, (V,)."""
        assert self.attributes is not None
        return self.attributes.first_of(self.events.items)
