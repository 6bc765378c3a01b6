"""From lines of text to rows as mappings: JSON objects, or the cells of a table with a header."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hotrow.data.formats._column_reader import Fault
from hotrow.data.schema import Schema
from hotrow.errors import DataError

LIST_SEPARATOR = "|"
"""Between the values of a list in one cell of a table."""

_OBJECT = msgspec.json.Decoder(dict[str, Any])
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns.

    Attributes:
        names: in the header's order.
        separator: TAB or comma; cells between commas may be in quotes.
        numbers: names of columns of numbers.
        lists: names of columns of lists.
    """

    names: tuple[str, ...]
    separator: str
    numbers: frozenset[str]
    lists: frozenset[str]

    @classmethod
    def of(cls, path: Path, header: str, schema: Schema) -> Table:
        """Read a header.

        Raises:
            DataError: a column is unknown or there twice.
        """
        separator = "\t" if "\t" in header else ","
        names = tuple(next(csv.reader([header], delimiter=separator)))
        known = {*schema.columns, *schema.labels, *filter(None, [schema.group])}
        for name in names:
            if name not in known:
                raise DataError(path, "unknown column", line=1, column=name[:40])
            if names.count(name) > 1:
                raise DataError(path, "is there twice, expected each column once", line=1, column=name)
        numbers = frozenset((*(feature.name for feature in schema.dense), *schema.labels))
        return cls(names, separator, numbers, frozenset(feature.name for feature in schema.lists))

    def row(self, line: bytes) -> Mapping[str, Any] | Fault:
        """Read one line; what cannot be converted stays text, which is found wrong when columns are read."""
        try:
            text = line.decode()
            if self.separator == "," and '"' in text:
                cells = next(csv.reader([text], strict=True))
            else:
                cells = text.split(self.separator)
        except UnicodeDecodeError:
            return Fault("", "utf8", "found bytes that are no UTF-8, expected UTF-8")
        except csv.Error as error:
            return Fault("", "quotes", f"found {error}, expected cells in quotes to end on the same line")
        if len(cells) != len(self.names):
            found = f"{len(cells)} column{'s' if len(cells) > 1 else ''}" if line else "an empty line"
            return Fault("", "column_count", f"found {found}, expected {len(self.names)} columns")
        return {name: self._value(name, cell) for name, cell in zip(self.names, cells, strict=True)}

    def _value(self, name: str, cell: str) -> object:
        if name in self.lists:
            return cell.split(LIST_SEPARATOR) if cell else None
        if name in self.numbers:
            if not cell:
                return None
            number = float(cell) if _NUMBER.fullmatch(cell) else math.nan
            return number if math.isfinite(number) else cell
        return cell


def read_object(line: bytes) -> Mapping[str, Any] | Fault:
    """Read a line that is a JSON object."""
    try:
        return _OBJECT.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        what = "an empty line" if not line.strip() else str(error) or "nesting that is too deep"
        return Fault("", "json", f"found {what}, expected a JSON object of column names and values")


def parse_lines(lines: Sequence[bytes], table: Table | None) -> list[Mapping[str, Any] | Fault]:
    """Read lines, of a table or of JSON objects."""
    read = read_object if table is None else table.row
    return [read(line.removesuffix(b"\r")) for line in lines]
