"""Reading rows given as mappings (JSON candidates of a ranking call), a column of values at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._digits import DIGIT_VALUES, MAX_DECIMAL_DIGITS, MAX_HEX_DIGITS, read_hex
from hotrow.data._fields import eight_bytes_at
from hotrow.data._lines import LEFT_PAD, RIGHT_PAD
from hotrow.errors import DataError

Rows = Sequence[Mapping[str, Any]]


def check_columns(rows: Rows, known: frozenset[str]) -> None:
    """Refuse a column that the format does not have: most likely a misspelt one.

    Raises:
        DataError: names the row and the column.
    """
    for number, row in enumerate(rows):
        if not known.issuperset(row):
            column = next(str(name) for name in row if name not in known)
            raise DataError(f"rows[{number}]", "unknown column", column=column)


def integers_from_rows(rows: Rows, names: Sequence[str]) -> NDArray[np.float64]:
    """Read whole numbers of at most 18 digits; absent or None is NaN.

    Returns:
        (B, N) float64.

    Raises:
        DataError: names the row and column of another value.
    """
    flat = [row.get(name) for row in rows for name in names]
    if not {type(value) for value in flat} <= {int, float, type(None)}:
        _require_integers(flat, names)
    try:
        values = np.array([np.nan if value is None else value for value in flat], dtype=np.float64)
    except OverflowError:  # an integer beyond float64
        values = np.full(len(flat), np.inf)
    if not (np.abs(values) < 10.0**MAX_DECIMAL_DIGITS).all() or (values != np.trunc(values)).any():
        _require_integers(flat, names)  # NaN stands for None, or for itself, which is refused
    return values.reshape(len(rows), len(names))


def hex_from_rows(rows: Rows, names: Sequence[str]) -> NDArray[np.uint64]:
    """Read strings of 1 to 8 hexadecimal digits; absent, None or empty is ``MISSING_KEY``.

    Returns:
        (F, B) uint64.

    Raises:
        DataError: names the row and column of another value.
    """
    flat = [row.get(name) for name in names for row in rows]
    if {type(value) for value in flat} <= {str, type(None)}:
        texts = [value or "" for value in flat]
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        ends = np.cumsum(lengths) + len(LEFT_PAD)
        # One byte a character, so that lengths are right; what is not ASCII is no digit anyway.
        joined = LEFT_PAD + "".join(texts).encode("ascii", "replace") + RIGHT_PAD
        keys, is_wrong = read_hex(eight_bytes_at(joined.translate(DIGIT_VALUES)), ends, lengths)
    else:
        is_wrong = np.array([type(value) not in (str, type(None)) for value in flat], dtype=np.bool_)
    if is_wrong.any():
        at = int(np.flatnonzero(is_wrong)[0])
        expected = f"a string of at most {MAX_HEX_DIGITS} hexadecimal digits or null"
        raise _wrong(flat[at], expected, at % len(rows), names[at // len(rows)])
    return keys.reshape(len(names), len(rows))


def _require_integers(flat: Sequence[object], names: Sequence[str]) -> None:
    for at, value in enumerate(flat):
        if not _is_integer(value):
            expected = f"a whole number of at most {MAX_DECIMAL_DIGITS} digits or null"
            raise _wrong(value, expected, at // len(names), names[at % len(names)])


def _is_integer(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value is None
    return (isinstance(value, int) or value.is_integer()) and abs(value) < 10**MAX_DECIMAL_DIGITS


def _wrong(value: object, expected: str, row: int, column: str) -> DataError:
    return DataError(f"rows[{row}]", f"found {value!r}, expected {expected}", column=column)
