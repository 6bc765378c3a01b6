"""Reading rows by a schema, whatever holds their columns: mappings, cells of text or Arrow's arrays.

Shape letters: B rows, V values of all lists together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._slices import flat_indices
from hotrow.data.formats._values import read_keys
from hotrow.data.raw import MISSING_KEY, RawBlock, RawList
from hotrow.data.schema import DenseFeature, KeyType, ListFeature, Schema

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong with a row.

    Attributes:
        column: the column at fault; empty for the row as a whole.
        reason: what it is counted as.
        detail: what was found and what was expected.
    """

    column: str
    reason: str
    detail: str


class ColumnReader(ABC):
    """Reads one column of B rows after another; of a row at fault the values mean nothing.

    A column that is absent has only missing values, a list that is absent or missing is empty.

    Args:
        count: B.

    Attributes:
        faults: each faulty row's first fault.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.faults: dict[int, Fault] = {}

    @abstractmethod
    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return finite numbers, (B,); NaN where missing."""

    @abstractmethod
    def labels(self, name: str) -> NDArray[np.float32]:
        """Return labels, (B,), 0 or 1; none may be missing."""

    @abstractmethod
    def keys(self, name: str, key_type: KeyType) -> NDArray[np.uint64]:
        """Return the keys of ids, (B,); ``MISSING_KEY`` where missing."""

    @abstractmethod
    def lists(self, name: str, key_type: KeyType) -> RawList:
        """Return lists of ids, of which none is missing."""

    @abstractmethod
    def weights(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return lists of numbers, one after another, (V,), and their lengths, (B,)."""

    def note(self, row: int, fault: Fault) -> None:
        """Take down what is wrong with a row, unless something else was wrong before."""
        self.faults.setdefault(row, fault)

    def note_item(self, row: int, name: str, found: object, expected: str) -> None:
        """Take down a wrong value in a row's list, where null is wrong too."""
        expected = expected.removesuffix(" or null")
        detail = f"found {shortened(found)} in it, expected {expected} in every place"
        self.note(row, Fault(name, "list", detail))


def read_block(
    reader: ColumnReader, schema: Schema, *, with_labels: bool, with_groups: bool = False
) -> RawBlock:
    """Read rows; what is wrong with them is in ``reader.faults``.

    Args:
        reader: of the rows.
        schema: which columns there are and how their values are read.
        with_labels: read the labels, which then may not be missing.
        with_groups: read the groups, which then may not be missing.
    """
    dense = [_numbers(reader, feature) for feature in schema.dense]
    keys = [_keys(reader, schema, feature.name, feature.key_type) for feature in schema.categorical]
    lists = tuple(_list(reader, schema, feature) for feature in schema.lists)
    _find_misaligned(reader, schema, lists)
    labels = None
    if with_labels:
        labels = np.stack([reader.labels(name) for name in schema.labels], axis=1)
        labels = labels[:, 0] if len(schema.labels) == 1 else labels
    return RawBlock(
        dense=np.stack(dense, axis=1) if dense else np.empty((reader.count, 0)),
        keys=np.stack(keys) if keys else np.empty((0, reader.count), dtype=np.uint64),
        labels=labels,
        lists=lists,
        groups=_groups(reader, schema) if with_groups else None,
    )


def require_keys(reader: ColumnReader, name: str, key_type: KeyType, reason: str) -> NDArray[np.uint64]:
    """Return the keys of a column in which none may be missing."""
    keys = reader.keys(name, key_type)
    for row in np.flatnonzero(keys == MISSING_KEY).tolist():
        reader.note(row, Fault(name, reason, f"found nothing, expected the row's {reason}"))
    return keys


def _numbers(reader: ColumnReader, feature: DenseFeature) -> NDArray[np.float64]:
    values = reader.numbers(feature.name)
    if feature.transform == "identity":
        for row in np.flatnonzero(np.abs(values) > _LARGEST).tolist():
            detail = f"found {values[row]}, expected a number of at most {_LARGEST:.4g}"
            reader.note(row, Fault(feature.name, "number", detail))
            values[row] = 0
    return values


def _keys(reader: ColumnReader, schema: Schema, name: str, key_type: KeyType) -> NDArray[np.uint64]:
    keys = reader.keys(name, key_type)
    default = schema.layout.defaults.get(name) if schema.layout else None
    if default is not None:
        np.copyto(keys, read_keys([default], key_type)[0], where=keys == MISSING_KEY)
    return keys


def _groups(reader: ColumnReader, schema: Schema) -> NDArray[np.int64]:
    """Return the key of each row's group as a signed number; of text, what a feature of it would have."""
    known = {feature.name: feature.key_type for feature in schema.categorical}
    return require_keys(reader, schema.group, known.get(schema.group, "text"), "group").view(np.int64)


def _list(reader: ColumnReader, schema: Schema, feature: ListFeature) -> RawList:
    ids = reader.lists(feature.name, feature.key_type)
    if not feature.weighted:
        return ids
    assert schema.layout is not None
    column = schema.layout.weights[feature.name]
    values, lengths = reader.weights(column)
    is_wrong = lengths != ids.lengths
    for row in np.flatnonzero(is_wrong).tolist():
        expected = f"{ids.lengths[row]}, one for each value of {feature.name}"
        reader.note(row, Fault(column, "list", f"found {lengths[row]} weights, expected {expected}"))
    right = ~is_wrong
    kept = flat_indices(ids.starts[right], ids.lengths[right])
    weights = values[flat_indices((np.cumsum(lengths) - lengths)[right], lengths[right])]
    kept_lengths = np.where(is_wrong, 0, ids.lengths)
    return RawList(ids.keys[kept], np.cumsum(kept_lengths) - kept_lengths, kept_lengths, weights)


def _find_misaligned(reader: ColumnReader, schema: Schema, lists: tuple[RawList, ...]) -> None:
    """Find rows whose sequences are of different lengths, where those of all training rows were alike."""
    firsts: dict[float, int] = {}
    for at, feature in enumerate(schema.lists):
        if feature.kind != "sequence" or not feature.mean_length:
            continue
        first = firsts.setdefault(feature.mean_length, at)
        expected, found = lists[first].lengths, lists[at].lengths
        for row in np.flatnonzero(found != expected).tolist():
            detail = f"found {found[row]} values, expected {expected[row]}, as {schema.lists[first].name} has"
            reader.note(row, Fault(feature.name, "list", detail))


def shortened(value: Any, limit: int = 60) -> str:
    """Return a value as it is shown in messages."""
    try:
        text = repr(value)
    except ValueError:  # a whole number with too many digits to be written
        text = "a whole number of thousands of digits"
    return text if len(text) <= limit else text[:limit] + "..."
