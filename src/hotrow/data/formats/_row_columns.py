"""From rows as mappings to raw columns by a schema; what is wrong with a row is told, or raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.columnar import column_of, unknown_columns
from hotrow.data.formats._values import (
    EXPECTED_KEY,
    EXPECTED_LABEL,
    EXPECTED_NUMBER,
    read_keys,
    read_labels,
    read_numbers,
)
from hotrow.data.raw import RawBlock, RawList
from hotrow.data.schema import KeyType, Schema
from hotrow.errors import DataError

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong with a row.

    Attributes:
        column: the column at fault.
        reason: what it is counted as.
        detail: what was found and what was expected.
    """

    column: str
    reason: str
    detail: str


def read_rows(rows: Rows, schema: Schema, *, with_labels: bool) -> tuple[RawBlock, dict[int, Fault]]:
    """Read rows; an absent column or None is a missing value, an absent list an empty one.

    Args:
        rows: B mappings of column names to values.
        schema: which columns there are and how their values are read.
        with_labels: read the label columns too, which then may not be absent.

    Returns:
        All rows, with anything in place of values at fault, and the faults by row.
    """
    faults: dict[int, Fault] = {}
    _find_unknown(rows, frozenset((*schema.columns, *schema.labels, *filter(None, [schema.group]))), faults)
    reader = _Reader(rows, faults)
    dense = [reader.numbers(feature.name) for feature in schema.dense]
    keys = [reader.keys(feature.name, feature.key_type) for feature in schema.categorical]
    lists = tuple(reader.lists(feature.name, feature.key_type) for feature in schema.lists)
    _find_misaligned(schema, lists, faults)
    labels = None
    if with_labels:
        labels = np.stack([reader.labels(name) for name in schema.labels], axis=1)
        labels = labels[:, 0] if len(schema.labels) == 1 else labels
    block = RawBlock(
        dense=np.stack(dense, axis=1) if dense else np.empty((len(rows), 0)),
        keys=np.stack(keys) if keys else np.empty((0, len(rows)), dtype=np.uint64),
        labels=labels,
        lists=lists,
    )
    return block, faults


def require_rows(rows: Rows, schema: Schema) -> RawBlock:
    """Read unlabelled rows of which none may be at fault.

    Raises:
        DataError: names the first row at fault and its column.
    """
    block, faults = read_rows(rows, schema, with_labels=False)
    if faults:
        row = min(faults)
        raise DataError(f"rows[{row}]", faults[row].detail, column=faults[row].column)
    return block


def _find_unknown(rows: Rows, known: frozenset[str], faults: dict[int, Fault]) -> None:
    for at, column in unknown_columns(rows, known).items():
        faults[at] = Fault(column, "unknown_column", "unknown column")


def _find_misaligned(schema: Schema, lists: Sequence[RawList], faults: dict[int, Fault]) -> None:
    """Find rows whose sequences are of different lengths, where those of all training rows were alike."""
    firsts: dict[float, int] = {}
    for at, feature in enumerate(schema.lists):
        if feature.kind != "sequence" or not feature.mean_length:
            continue
        first = firsts.setdefault(feature.mean_length, at)
        expected, found = lists[first].lengths, lists[at].lengths
        for row in np.flatnonzero(found != expected).tolist():
            detail = f"found {found[row]} values, expected {expected[row]}, as {schema.lists[first].name} has"
            faults.setdefault(row, Fault(feature.name, "list", detail))


class _Reader:
    """Reads one column after another, and notes each row's first fault."""

    def __init__(self, rows: Rows, faults: dict[int, Fault]) -> None:
        self._rows = rows
        self._faults = faults

    def numbers(self, name: str) -> NDArray[np.float64]:
        values = column_of(self._rows, name)
        found, is_wrong = read_numbers(values)
        self._note(name, "number", values, is_wrong, EXPECTED_NUMBER)
        return found

    def labels(self, name: str) -> NDArray[np.float32]:
        values = column_of(self._rows, name)
        found, is_wrong = read_labels(values)
        self._note(name, "label", values, is_wrong, EXPECTED_LABEL)
        return found

    def keys(self, name: str, key_type: KeyType) -> NDArray[np.uint64]:
        values = column_of(self._rows, name)
        found, is_wrong = read_keys(values, key_type)
        self._note(name, "id", values, is_wrong, EXPECTED_KEY[key_type])
        return found

    def lists(self, name: str, key_type: KeyType) -> RawList:
        values = column_of(self._rows, name)
        is_list = np.fromiter((isinstance(value, list | tuple) for value in values), np.bool_, len(values))
        is_absent = np.fromiter((value is None for value in values), np.bool_, len(values))
        self._note(name, "list", values, ~is_list & ~is_absent, "a list or null")
        # Rows that share one list, as candidates do their context's history, share its keys.
        places: dict[int, int] = {}
        lists: list[Sequence[object]] = []
        list_of = np.empty(len(values), dtype=np.int64)
        for row, value in enumerate(values):
            given = value if isinstance(value, list | tuple) else ()
            list_of[row] = places.setdefault(id(given), len(lists))
            if list_of[row] == len(lists):
                lists.append(given)
        lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        keys = self._items(name, key_type, lists, list_of)
        starts = np.cumsum(lengths) - lengths
        return RawList(keys, starts[list_of], lengths[list_of])

    def _items(
        self, name: str, key_type: KeyType, lists: Sequence[Sequence[object]], list_of: NDArray[np.int64]
    ) -> NDArray[np.uint64]:
        """Read the values of all lists, and note the faults of the rows that have them."""
        flat = [item for each in lists for item in each]
        keys, is_wrong = read_keys(flat, key_type)
        is_wrong |= np.fromiter((item is None or item == "" for item in flat), np.bool_, len(flat))
        expected = f"{EXPECTED_KEY[key_type].removesuffix(' or null')} in every place"
        owner = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        wrong = np.flatnonzero(is_wrong)
        for at in wrong[np.unique(owner[wrong], return_index=True)[1]].tolist():
            fault = Fault(name, "list", f"found {_short(flat[at])} in it, expected {expected}")
            for row in np.flatnonzero(list_of == owner[at]).tolist():
                self._faults.setdefault(row, fault)
        return keys

    def _note(
        self, name: str, reason: str, values: Sequence[object], is_wrong: NDArray[np.bool_], expected: str
    ) -> None:
        for row in np.flatnonzero(is_wrong).tolist():
            detail = f"found {_short(values[row])}, expected {expected}"
            self._faults.setdefault(row, Fault(name, reason, detail))


def _short(value: object, limit: int = 60) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number with too many digits to be written
        text = "a whole number of thousands of digits"
    return text if len(text) <= limit else text[:limit] + "..."
