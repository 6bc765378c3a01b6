"""Reading columns of Arrow's arrays, and which of their types can be what.

Shape letters: B rows, V values of all lists together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hotrow.data.formats._column_reader import Fault, shortened
from hotrow.data.formats._described_columns import DescribedColumns
from hotrow.data.formats._times import EXPECTED_TIME, read_datetimes
from hotrow.data.formats._values import EXPECTED_KEY, EXPECTED_LABEL, EXPECTED_NUMBER, IsWrong, read_keys
from hotrow.data.formats.options import TimeKind
from hotrow.data.keys import MAX_INTEGER, bytes_keys, integer_keys
from hotrow.data.raw import MISSING_KEY, RawList
from hotrow.data.schema import KeyType


def is_number(kind: Any) -> bool:
    """Whether a dense feature, a label or a number of a time can have a type."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in (*tests, pa.types.is_null))


def is_id(kind: Any) -> bool:
    """Whether ids can have a type: text or whole numbers."""
    if pa.types.is_dictionary(kind):
        return is_id(kind.value_type)
    return is_text(kind) or any(test(kind) for test in (pa.types.is_integer, pa.types.is_null))


def is_text(kind: Any) -> bool:
    """Whether a type is text."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def is_list(kind: Any) -> bool:
    """Whether a type is that of lists."""
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in (*tests, pa.types.is_null))


def is_time(kind: Any) -> bool:
    """Whether a type is that of dates and times, or of text that may tell them."""
    return is_text(kind) or any(test(kind) for test in (pa.types.is_timestamp, pa.types.is_date))


class ArrowColumns(DescribedColumns):
    """Reads the columns of a record batch, the types of which were looked at before.

    Args:
        batch: B rows.
    """

    def __init__(self, batch: Any) -> None:
        super().__init__(batch.num_rows)
        self._columns = {name: batch.column(at) for at, name in enumerate(batch.schema.names)}

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Read numbers; NaN is missing."""
        values, column = self._floats(name)
        self._note(name, "number", np.isinf(values), column, EXPECTED_NUMBER)
        return values

    def labels(self, name: str) -> NDArray[np.float32]:
        """Read labels."""
        values, column = self._floats(name)
        self._note(name, "label", (values != 0) & (values != 1), column, EXPECTED_LABEL)
        return values.astype(np.float32)

    def keys(self, name: str, key_type: KeyType) -> NDArray[np.uint64]:
        """Read ids."""
        column = self._column(name, pa.string())
        keys, is_wrong = _read_keys(column, key_type)
        self._note(name, "id", is_wrong, column, EXPECTED_KEY[key_type])
        return keys

    def lists(self, name: str, key_type: KeyType) -> RawList:
        """Read lists of ids."""
        column = self._column(name, pa.list_(pa.string()))
        lengths, items = _flat(column)
        keys, is_wrong = _read_keys(items, key_type)
        self._note_items(name, is_wrong | (keys == MISSING_KEY), items, lengths, EXPECTED_KEY[key_type])
        return RawList(keys, np.cumsum(lengths) - lengths, lengths)

    def weights(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Read lists of numbers."""
        lengths, items = _flat(self._column(name, pa.list_(pa.float64())))
        values = _to_floats(items)
        self._note_items(name, ~np.isfinite(values), items, lengths, EXPECTED_NUMBER)
        return values.astype(np.float32), lengths

    def times(self, name: str, kind: TimeKind) -> NDArray[np.float64]:
        """Read times."""
        column = self._column(name, pa.float64() if kind == "number" else pa.string())
        if kind == "number":
            values = _to_floats(column)
        elif is_text(column.type):
            values = read_datetimes(column.to_pylist())
        else:
            zone = getattr(column.type, "tz", None)
            times = column.cast(pa.timestamp("us", zone), safe=False)
            values = times.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        self._note(name, "time", ~np.isfinite(values), column, EXPECTED_TIME[kind])
        return values

    def _column(self, name: str, kind: Any) -> Any:
        """Return a column; nulls of a type for one that is absent, or has no type of its own."""
        column = self._columns.get(name)
        return pa.nulls(self.count, kind) if column is None or pa.types.is_null(column.type) else column

    def _floats(self, name: str) -> tuple[NDArray[np.float64], Any]:
        column = self._column(name, pa.float64())
        return _to_floats(column), column

    def _note(self, name: str, reason: str, is_wrong: IsWrong, column: Any, expected: str) -> None:
        for row in np.flatnonzero(is_wrong).tolist():
            detail = f"found {shortened(column[row].as_py())}, expected {expected}"
            self.note(row, Fault(name, reason, detail))

    def _note_items(
        self, name: str, is_wrong: IsWrong, items: Any, lengths: NDArray[np.int64], expected: str
    ) -> None:
        wrong = np.flatnonzero(is_wrong)
        rows = np.searchsorted(np.cumsum(lengths), wrong, side="right").tolist()
        for at, row in zip(wrong.tolist(), rows, strict=True):
            self.note_item(row, name, items[at].as_py(), expected)


def _to_floats(column: Any) -> NDArray[np.float64]:
    """Return numbers, NaN for null."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values.copy()  # which may be written to


def _flat(column: Any) -> tuple[NDArray[np.int64], Any]:
    """Return the lengths of lists, 0 of null, and the values of all of them."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int64())
    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    return lengths.to_numpy(zero_copy_only=False), column.flatten()


def _read_keys(column: Any, key_type: KeyType) -> tuple[NDArray[np.uint64], IsWrong]:
    """Return the keys of text or whole numbers, ``MISSING_KEY`` for null and empty text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return np.full(len(column), MISSING_KEY), np.zeros(len(column), dtype=np.bool_)
    if key_type == "text":
        return _text_keys(column if is_text(column.type) else column.cast(pa.string()))
    assert key_type == "integer"
    if is_text(column.type):
        different = column.dictionary_encode()
        keys, is_wrong = read_keys(different.dictionary.to_pylist(), key_type)
        places = different.indices.fill_null(len(keys)).to_numpy(zero_copy_only=False)
        return np.append(keys, MISSING_KEY)[places], np.append(is_wrong, False)[places]
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    whole = column.fill_null(0).to_numpy(zero_copy_only=False)
    is_wrong = whole > MAX_INTEGER
    keys = integer_keys(np.where(is_wrong, 0, whole).astype(np.int64))
    return np.where(is_null, MISSING_KEY, keys), is_wrong


def _text_keys(column: Any) -> tuple[NDArray[np.uint64], IsWrong]:
    """Return the keys of text, hashed in the buffer where Arrow has it."""
    column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    if not len(column):
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.bool_)
    borders = np.frombuffer(offsets, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    text = np.frombuffer(data or b"", dtype=np.uint8)[borders[0] : borders[-1]]
    lengths = np.diff(borders)
    keys = bytes_keys(text, borders[:-1] - borders[0], lengths)
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    np.copyto(keys, MISSING_KEY, where=is_null | (lengths == 0))
    return keys, np.zeros(len(keys), dtype=np.bool_)
