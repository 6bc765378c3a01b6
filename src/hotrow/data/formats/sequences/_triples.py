"""Reading ``user item timestamp`` triples, TABs or commas between them, with or without a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats._cells import CellKind
from hotrow.data.formats._columns import Columns, first_cells, read_columns
from hotrow.data.formats._delimited import Field, Layout, Separator
from hotrow.data.formats.sequences._events import Events, in_order_of_time
from hotrow.data.keys import integer_keys
from hotrow.data.schema import KeyType
from hotrow.errors import DataError

_SEPARATORS: tuple[Separator, ...] = ("\t", ",")
_COLUMNS = ("user", "item", "timestamp")
_PLAIN = {
    "user_id": "user",
    "userid": "user",
    "reviewerid": "user",
    "item_id": "item",
    "itemid": "item",
    "asin": "item",
    "parent_asin": "item",
    "time": "timestamp",
    "unixreviewtime": "timestamp",
}
"""Other names that headers have for the columns, in lower case."""


def separator_of(path: Path) -> Separator | None:
    """Return the separator of triples, or None of a file whose first line has none."""
    for separator in _SEPARATORS:
        if len(first_cells(path, separator)) > 1:
            return separator
    return None


def read_triples(path: Path, key_type: KeyType) -> tuple[Events, Columns]:
    """Read a file of triples; with a header there may be other columns too, in any order.

    Args:
        path: plain or gzipped.
        key_type: of users and items, ``integer`` or ``text``.

    Raises:
        MissingFileError: there is no such file.
        DataError: it cannot be read, no line can be used, or a column is missing.
    """
    separator = separator_of(path) or "\t"
    names, has_header = _names(path, separator)
    id_kind: CellKind = "integer" if key_type == "integer" else "text"
    kinds: dict[str, CellKind] = {"user": id_kind, "item": id_kind, "timestamp": "number"}
    fields = tuple(Field(name, kinds.get(name, "skip")) for name in names)
    columns = read_columns(path, Layout(fields, separator, header=has_header))
    events = in_order_of_time(path, _keys(columns, "user"), _keys(columns, "item"), columns["timestamp"])
    return events, columns


def _names(path: Path, separator: Separator) -> tuple[list[str], bool]:
    """Return the names of the columns, and whether the first line is a header."""
    cells = first_cells(path, separator)
    plain = [cell.partition(":")[0].strip().lower() for cell in cells]
    names = [_PLAIN.get(name, name) for name in plain]
    if not set(_COLUMNS) & set(names):
        if len(cells) != len(_COLUMNS):
            expected = "user, item and timestamp, or a header that names them"
            raise DataError(path, f"found {len(cells)} columns, expected {expected}", line=1)
        return list(_COLUMNS), False
    for name in _COLUMNS:
        if names.count(name) != 1:
            raise DataError(
                path, f"has {names.count(name)} columns {name} in its header, expected one", line=1
            )
    return names, True


def _keys(columns: Columns, name: str) -> NDArray[np.uint64]:
    values = columns[name]
    return values if values.dtype == np.uint64 else integer_keys(values)
