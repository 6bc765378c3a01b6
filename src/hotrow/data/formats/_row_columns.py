"""From rows as mappings to raw columns by a schema; what is wrong with a row is told, or raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._slices import flat_indices
from hotrow.data.columnar import column_of, unknown_columns
from hotrow.data.formats._column_reader import ColumnReader, Fault, read_block, shortened
from hotrow.data.formats._values import (
    EXPECTED_KEY,
    EXPECTED_LABEL,
    EXPECTED_NUMBER,
    IsWrong,
    read_keys,
    read_labels,
    read_numbers,
)
from hotrow.data.raw import RawBlock, RawList
from hotrow.data.schema import KeyType, Schema
from hotrow.errors import DataError

Rows = Sequence[Mapping[str, Any]]

ANY = "*"
"""Among a table's ignored columns: all that are not named."""


def read_rows(rows: Rows, schema: Schema, *, with_labels: bool) -> tuple[RawBlock, dict[int, Fault]]:
    """Read rows; an absent column or None is a missing value, an absent list an empty one.

    Args:
        rows: B mappings of column names to values.
        schema: which columns there are and how their values are read.
        with_labels: read the label columns too, which then may not be absent.

    Returns:
        All rows, with anything in place of values at fault, and the faults by row.
    """
    reader = MappingColumns(rows)
    known = known_columns(schema)
    if ANY not in known:
        for at, column in unknown_columns(rows, known).items():
            reader.note(at, Fault(column, "unknown_column", "unknown column"))
    return read_block(reader, schema, with_labels=with_labels), reader.faults


def known_columns(schema: Schema) -> frozenset[str]:
    """Return the columns that rows may have; ``ANY`` among them if there may be others."""
    layout = schema.layout
    others = (*layout.ignored, *layout.weights.values()) if layout else ()
    return frozenset((*schema.columns, *schema.labels, *filter(None, [schema.group]), *others))


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


class MappingColumns(ColumnReader):
    """Reads the columns of rows given as mappings.

    Args:
        rows: B mappings of column names to values.
    """

    def __init__(self, rows: Rows) -> None:
        super().__init__(len(rows))
        self._rows = rows

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Read numbers."""
        values = column_of(self._rows, name)
        found, is_wrong = read_numbers(values)
        self._note_all(name, "number", values, is_wrong, EXPECTED_NUMBER)
        return found

    def labels(self, name: str) -> NDArray[np.float32]:
        """Read labels."""
        values = column_of(self._rows, name)
        found, is_wrong = read_labels(values)
        self._note_all(name, "label", values, is_wrong, EXPECTED_LABEL)
        return found

    def keys(self, name: str, key_type: KeyType) -> NDArray[np.uint64]:
        """Read ids."""
        values = column_of(self._rows, name)
        found, is_wrong = read_keys(values, key_type)
        self._note_all(name, "id", values, is_wrong, EXPECTED_KEY[key_type])
        return found

    def lists(self, name: str, key_type: KeyType) -> RawList:
        """Read lists of ids; rows that share one list, as candidates do their context's, share its keys."""
        lists, list_of = self._lists(name)
        lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        flat = [item for each in lists for item in each]
        keys, is_wrong = read_keys(flat, key_type)
        is_wrong |= np.fromiter((item is None or item == "" for item in flat), np.bool_, len(flat))
        self._note_items(name, lists, list_of, is_wrong, EXPECTED_KEY[key_type])
        starts = np.cumsum(lengths) - lengths
        return RawList(keys, starts[list_of], lengths[list_of])

    def weights(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Read lists of numbers."""
        lists, list_of = self._lists(name)
        flat = [item for each in lists for item in each]
        values, _ = read_numbers(flat)
        self._note_items(name, lists, list_of, np.isnan(values), EXPECTED_NUMBER)
        sizes = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        lengths = sizes[list_of]
        starts = (np.cumsum(sizes) - sizes)[list_of]
        return values[flat_indices(starts, lengths)].astype(np.float32), lengths

    def _lists(self, name: str) -> tuple[list[Sequence[object]], NDArray[np.int64]]:
        """Return the different lists of a column, and which each row has."""
        values = column_of(self._rows, name)
        is_list = np.fromiter((isinstance(value, list | tuple) for value in values), np.bool_, len(values))
        is_absent = np.fromiter((value is None for value in values), np.bool_, len(values))
        self._note_all(name, "list", values, ~is_list & ~is_absent, "a list or null")
        places: dict[int, int] = {}
        lists: list[Sequence[object]] = []
        list_of = np.empty(len(values), dtype=np.int64)
        for row, value in enumerate(values):
            given = value if isinstance(value, list | tuple) else ()
            list_of[row] = places.setdefault(id(given), len(lists))
            if list_of[row] == len(lists):
                lists.append(given)
        return lists, list_of

    def _note_items(
        self,
        name: str,
        lists: Sequence[Sequence[object]],
        list_of: NDArray[np.int64],
        is_wrong: IsWrong,
        expected: str,
    ) -> None:
        """Note the faults of the rows that have a list with a wrong item, the first one of each list."""
        owner = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        firsts = np.cumsum([0, *(len(each) for each in lists)])
        wrong = np.flatnonzero(is_wrong)
        for at in wrong[np.unique(owner[wrong], return_index=True)[1]].tolist():
            item = lists[owner[at]][at - firsts[owner[at]]]
            for row in np.flatnonzero(list_of == owner[at]).tolist():
                self.note_item(row, name, item, expected)

    def _note_all(
        self, name: str, reason: str, values: Sequence[object], is_wrong: IsWrong, expected: str
    ) -> None:
        for row in np.flatnonzero(is_wrong).tolist():
            detail = f"found {shortened(values[row])}, expected {expected}"
            self.note(row, Fault(name, reason, detail))
