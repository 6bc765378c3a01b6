"""Reading rows given as mappings (JSON candidates of a ranking call), a column of values at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.columnar import column_of, unknown_columns
from hotrow.errors import DataError
from hotrow.kernels.fields.digits import MAX_DECIMAL_DIGITS, MAX_HEX_DIGITS
from hotrow.kernels.values import read_hex, read_integers

Rows = Sequence[Mapping[str, Any]]

_INTEGER = f"a whole number of at most {MAX_DECIMAL_DIGITS} digits or null"
_HEX = f"a string of at most {MAX_HEX_DIGITS} hexadecimal digits or null"


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
    values_NB = np.empty((len(names), len(rows)))
    _read_columns(rows, names, read_integers, values_NB, _INTEGER)
    return np.ascontiguousarray(values_NB.T)


def hex_from_rows(rows: Rows, names: Sequence[str]) -> NDArray[np.uint64]:
    """Read strings of 1 to 8 hexadecimal digits; absent, None or empty is ``MISSING_KEY``.

    Returns:
        (F, B) uint64.

    Raises:
        DataError: names the row and column of another value.
    """
    keys_FB = np.empty((len(names), len(rows)), dtype=np.uint64)
    _read_columns(rows, names, read_hex, keys_FB, _HEX)
    return keys_FB


def _read_columns(
    rows: Rows,
    names: Sequence[str],
    read: Callable[[Sequence[object], NDArray[Any]], int],
    out: NDArray[Any],
    expected: str,
) -> None:
    """Read columns into the rows of ``out``, and refuse the first row with a wrong value."""
    columns = [column_of(rows, name) for name in names]
    wrong = [read(values, places) for values, places in zip(columns, out, strict=True)]
    if any(at >= 0 for at in wrong):
        row, column = min((at, column) for column, at in enumerate(wrong) if at >= 0)
        found = f"found {columns[column][row]!r}, expected {expected}"
        raise DataError(f"rows[{row}]", found, column=names[column])
