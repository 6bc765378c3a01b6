"""Reading rows given as mappings (JSON candidates of a ranking call), a column of values at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._digits import DIGIT_VALUES, MAX_DECIMAL_DIGITS, MAX_HEX_DIGITS, read_hex
from hotrow.data._fields import eight_bytes_at
from hotrow.data._lines import LEFT_PAD, RIGHT_PAD
from hotrow.data.columnar import column_of, unknown_columns
from hotrow.errors import DataError

Rows = Sequence[Mapping[str, Any]]

_BETWEEN = ","


def check_columns(rows: Rows, known: frozenset[str]) -> None:
    """Refuse a column that the format does not have: most likely a misspelt one.

    Raises:
        DataError: names the row and the column.
    """
    for number, column in unknown_columns(rows, known).items():
        raise DataError(f"rows[{number}]", "unknown column", column=column)


def integers_from_rows(rows: Rows, names: Sequence[str]) -> NDArray[np.float64]:
    """Read whole numbers of at most 18 digits; absent or None is NaN.

    Returns:
        (B, N) float64.

    Raises:
        DataError: names the row and column of another value.
    """
    flat = list(chain.from_iterable(column_of(rows, name) for name in names))
    if not {*map(type, flat)} <= {int, float, type(None)}:
        _require_integers(rows, names)
    try:
        values = np.array(flat, dtype=np.float64)  # NaN for None
    except OverflowError:  # an integer beyond float64
        values = np.full(len(flat), np.inf)
    is_wrong = ~(np.abs(values) < 10.0**MAX_DECIMAL_DIGITS) | (values != np.trunc(values))
    if not all(flat[at] is None for at in np.flatnonzero(is_wrong).tolist()):
        _require_integers(rows, names)
    return np.ascontiguousarray(values.reshape(len(names), len(rows)).T)


def hex_from_rows(rows: Rows, names: Sequence[str]) -> NDArray[np.uint64]:
    """Read strings of 1 to 8 hexadecimal digits; absent, None or empty is ``MISSING_KEY``.

    Returns:
        (F, B) uint64.

    Raises:
        DataError: names the row and column of another value.
    """
    flat = list(chain.from_iterable(column_of(rows, name) for name in names))
    fields = _fields(flat)
    if fields is None:
        is_wrong = np.array([type(value) not in (str, type(None)) for value in flat], dtype=np.bool_)
    else:
        keys, is_wrong = read_hex(*fields)
    if is_wrong.any():
        at = int(np.flatnonzero(is_wrong)[0])
        expected = f"a string of at most {MAX_HEX_DIGITS} hexadecimal digits or null"
        raise _wrong(flat[at], expected, at % len(rows), names[at // len(rows)])
    return keys.reshape(len(names), len(rows))


def _fields(values: Sequence[Any]) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Return what ``read_hex`` takes of texts and None; None if there are other values."""
    texts = [value or "" for value in values]
    try:
        joined = (_BETWEEN.join(texts) + _BETWEEN).encode("ascii", "replace")
    except TypeError:
        return None
    # One byte a character, so that lengths are right; what is not ASCII is no digit anyway.
    ends = np.flatnonzero(np.frombuffer(joined, dtype=np.uint8) == ord(_BETWEEN))
    lengths = np.diff(ends, prepend=-1) - 1
    if len(ends) != len(texts):  # one of them has the separator in it
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        ends = np.cumsum(lengths + 1) - 1
    if not all(values[at] in (None, "") for at in np.flatnonzero(lengths == 0).tolist()):
        return None
    padded = LEFT_PAD + joined + RIGHT_PAD
    return eight_bytes_at(padded.translate(DIGIT_VALUES)), ends + len(LEFT_PAD), lengths


def _require_integers(rows: Rows, names: Sequence[str]) -> None:
    for number, row in enumerate(rows):
        for name in names:
            if not _is_integer(row.get(name)):
                expected = f"a whole number of at most {MAX_DECIMAL_DIGITS} digits or null"
                raise _wrong(row.get(name), expected, number, name)


def _is_integer(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value is None
    return (isinstance(value, int) or value.is_integer()) and abs(value) < 10**MAX_DECIMAL_DIGITS


def _wrong(value: object, expected: str, row: int, column: str) -> DataError:
    return DataError(f"rows[{row}]", f"found {value!r}, expected {expected}", column=column)
