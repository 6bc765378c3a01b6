"""Candidates drawn from a file of raw rows: JSON lines, a table with a header, or a log without one."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hotrow.errors import DataError, MissingFileError
from hotrow.load.context import require_known
from hotrow.load.query import RawRows, draw_rows, generator_of

MAX_RAW_ROWS = 200_000
"""Rows of the file that are read and kept in memory; a longer file is used to here."""

_OBJECT = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of a model's raw columns, as its metadata tell them.

    Attributes:
        dense, categorical, lists: in the model's order.
    """

    dense: tuple[str, ...]
    categorical: tuple[str, ...]
    lists: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        return (*self.dense, *self.categorical, *self.lists)


class RawFile:
    """Different random rows of a file for each query; an instance of ``QuerySource[RawRows]``.

    Args:
        path: JSON objects, one a line; or a table, TABs or commas between its cells (values of a list
            joined by ``|``; between commas cells may be in quotes), with a header, or without one and the
            columns in the model's order, after a label or not. Plain or gzipped. Columns that the model does
            not take are left out.
        columns: what the model takes.
        seed: with a query's number, decides its rows.
        context: columns whose values all candidates of a query share, those of the first row.

    Raises:
        MissingFileError: there is no such file.
        DataError: a row cannot be read; names the line.
        ConfigError: there is no such context column.
    """

    def __init__(self, path: Path, columns: Columns, *, seed: int, context: Sequence[str] = ()) -> None:
        require_known(context, columns.names)
        self._rows = read_rows(path, columns)
        self._context = frozenset(context)
        self._seed = seed
        self.rows = len(self._rows)

    def content(self, number: int, rows: int) -> RawRows:
        """Return ``rows`` different rows of the file."""
        picked = draw_rows(generator_of(self._seed, number), self.rows, rows).tolist()
        candidates = [self._rows[row] for row in picked]
        if not self._context:
            return RawRows(candidates, {})
        shared = {name: value for name, value in candidates[0].items() if name in self._context}
        own = [
            {name: value for name, value in row.items() if name not in self._context} for row in candidates
        ]
        return RawRows(own, shared)


def read_rows(path: Path, columns: Columns, *, most: int = MAX_RAW_ROWS) -> list[Mapping[str, Any]]:
    """Read the first rows of a file.

    Raises:
        MissingFileError: there is no such file.
        DataError: a row cannot be read, or there is none.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as stream:
            lines = (line.rstrip("\r\n") for line in stream)
            rows = list(itertools.islice(_rows(path, lines, columns), most))
    except FileNotFoundError as error:
        raise MissingFileError(path, "a file of raw rows, or a prepared data set") from error
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise DataError(path, f"not text ({error}), expected raw rows") from error
    if not rows:
        raise DataError(path, "has no rows, expected raw rows")
    return rows


def _rows(path: Path, lines: Iterator[str], columns: Columns) -> Iterator[Mapping[str, Any]]:
    first = next(lines, None)
    if first is None:
        return
    if first.lstrip().startswith("{"):
        known = frozenset(columns.names)
        for number, line in enumerate(itertools.chain([first], lines), start=1):
            yield {name: value for name, value in _object(path, number, line).items() if name in known}
        return
    table = _Table(path, first, columns)
    start = 2 if table.has_header else 1
    for number, line in enumerate(
        lines if table.has_header else itertools.chain([first], lines), start=start
    ):
        yield table.row(number, line)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        return _OBJECT.decode(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DataError(path, f"{error}, expected a JSON object", line=number) from error


class _Table:
    """Reads the lines of a table.

    Args:
        path: for messages.
        first: the first line, a header or a row.
        columns: what the model takes.
    """

    def __init__(self, path: Path, first: str, columns: Columns) -> None:
        self._path = path
        self._separator = "\t" if "\t" in first else ","
        self._numbers, self._lists = frozenset(columns.dense), frozenset(columns.lists)
        cells = self._cells(1, first)
        self.has_header = not set(columns.names).isdisjoint(cells)
        if self.has_header:
            missing = next((name for name in columns.names if name not in cells), None)
            if missing is not None:
                raise DataError(
                    path, "is not in the header, expected all of the model's", line=1, column=missing
                )
            self._names: list[str | None] = [name if name in columns.names else None for name in cells]
        else:
            extra = len(cells) - len(columns.names)
            if extra not in (0, 1):
                expected = f"{len(columns.names)} columns of the model, or one more for a label, or a header"
                raise DataError(path, f"found {len(cells)} columns, expected {expected}", line=1)
            self._names = [*([None] * extra), *columns.names]

    def row(self, number: int, line: str) -> Mapping[str, Any]:
        cells = self._cells(number, line)
        if len(cells) != len(self._names):
            found = f"found {len(cells)} columns, expected {len(self._names)}"
            raise DataError(self._path, found, line=number)
        named = zip(self._names, cells, strict=True)
        return {name: self._value(number, name, cell) for name, cell in named if name and cell}

    def _cells(self, number: int, line: str) -> list[str]:
        if self._separator != "," or '"' not in line:
            return line.split(self._separator)
        try:
            return next(csv.reader([line], strict=True))
        except csv.Error as error:
            detail = f"found {error}, expected cells in quotes to end on the same line"
            raise DataError(self._path, detail, line=number) from error

    def _value(self, number: int, name: str, cell: str) -> Any:
        if name in self._lists:
            return cell.split("|")
        if name not in self._numbers:
            return cell
        try:
            return int(cell) if cell.lstrip("-").isdecimal() else float(cell)
        except ValueError as error:
            detail = f"found {cell[:40]!r}, expected a number or nothing"
            raise DataError(self._path, detail, line=number, column=name) from error
