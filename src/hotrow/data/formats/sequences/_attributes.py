"""Reading what is known of items: a JSON object of ``item: [attribute, ...]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotrow.data.keys import integer_keys, text_keys
from hotrow.data.manifest import SourceInfo
from hotrow.data.schema import KeyType
from hotrow.errors import DataError

_WHOLE = re.compile(r"-?[0-9]{1,18}")

NO_ATTRIBUTE = integer_keys(np.array([-1]))[0]
"""Key of the first attribute of an item that has none, so that histories stay aligned."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of S items: of each a slice of ``keys``.

    Attributes:
        items: (S,) uint64, sorted.
        keys: (V,) uint64.
        starts: (S,) int64.
        lengths: (S,) int64.
    """

    items: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def slices_of(self, items: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the attributes of each item begin and how many there are, 0 of an unknown item."""
        rows = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        is_known = self.items[rows] == items
        return np.where(is_known, self.starts[rows], 0), np.where(is_known, self.lengths[rows], 0)

    def first_of(self, items: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return each item's first attribute, ``NO_ATTRIBUTE`` where there is none."""
        starts, lengths = self.slices_of(items)
        padded = np.append(self.keys, NO_ATTRIBUTE)
        return np.where(lengths > 0, padded[starts], NO_ATTRIBUTE)


def read_attributes(path: Path, key_type: KeyType) -> tuple[Attributes, SourceInfo]:
    """Read a file.

    Args:
        path: the JSON file.
        key_type: of its items, ``integer`` or ``text``.

    Raises:
        DataError: it is something else; names the item.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, list[int]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(path, f"{error}; expected a JSON object of item: [attribute, ...]") from error
    if not found:
        raise DataError(path, "has no items, expected at least one")
    keys = text_keys(list(found)) if key_type == "text" else _integer_items(path, list(found))
    items, order = np.unique(keys, return_index=True)
    if len(items) != len(keys):
        raise DataError(path, "an item is there twice, expected each once")
    lists = list(found.values())
    lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    flat = _attribute_keys(path, list(found), lists)
    starts = np.cumsum(lengths) - lengths
    attributes = Attributes(items, flat, starts[order], lengths[order])
    return attributes, SourceInfo(file=str(path), rows=len(items), rejected=0)


def _integer_items(path: Path, items: list[str]) -> NDArray[np.uint64]:
    for item in items:
        if not _WHOLE.fullmatch(item):
            raise DataError(path, f"found item {item!r}, expected a whole number, or ids=text")
    return integer_keys(np.array([int(item) for item in items], dtype=np.int64))


def _attribute_keys(path: Path, items: list[str], lists: list[list[int]]) -> NDArray[np.uint64]:
    for item, attributes in zip(items, lists, strict=True):
        for attribute in attributes:
            if not 0 <= attribute < 10**18:
                expected = "a whole number from 0 on, of at most 18 digits"
                raise DataError(path, f"found attribute {attribute} of item {item!r}, expected {expected}")
    return integer_keys(np.array([attribute for each in lists for attribute in each], dtype=np.int64))
