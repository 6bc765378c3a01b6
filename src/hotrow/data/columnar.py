"""Rows as mappings that are held in columns, so that readers which go by column need not gather them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ColumnarRows(Sequence[Mapping[str, Any]]):
    """Rows that all have the same columns.

    Args:
        columns: of each column its B values, in order of the rows; None is missing.
        count: B.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        self.columns = columns
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        """Return a row, or the rows of a slice."""
        if isinstance(at, slice):
            parts = {name: values[at] for name, values in self.columns.items()}
            return ColumnarRows(parts, len(range(*at.indices(self._count))))
        row = range(self._count)[at]
        return {name: values[row] for name, values in self.columns.items()}


def column_of(rows: Sequence[Mapping[str, Any]], name: str) -> Sequence[Any]:
    """Return the values of a column, None where it is absent."""
    if isinstance(rows, ColumnarRows):
        values = rows.columns.get(name)
        return [None] * len(rows) if values is None else values
    return [row.get(name) for row in rows]


def unknown_columns(rows: Sequence[Mapping[str, Any]], known: frozenset[str]) -> dict[int, str]:
    """Return, of each row that has a column which is not known, the first such column."""
    if isinstance(rows, ColumnarRows) and known.issuperset(rows.columns):
        return {}
    return {
        number: next(str(name) for name in row if name not in known)
        for number, row in enumerate(rows)
        if not known.issuperset(row)
    }
