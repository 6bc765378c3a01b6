from __future__ import annotations

from typing import Any

import pytest

from hotrow.data.columnar import ColumnarRows, column_of, unknown_columns

ROWS: list[dict[str, Any]] = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, {"a": 3, "b": ""}]
COLUMNS = ColumnarRows({"a": [1, None, 3], "b": ("x", "y", "")}, 3)


def test_they_are_rows() -> None:
    assert list(COLUMNS) == ROWS
    assert COLUMNS[-1] == ROWS[-1]
    assert list(COLUMNS[1:]) == ROWS[1:]
    assert len(COLUMNS[2:9]) == 1
    with pytest.raises(IndexError):
        COLUMNS[3]


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_column_is_that_of_the_rows(name: str) -> None:
    assert list(column_of(COLUMNS, name)) == list(column_of(ROWS, name)) == [row.get(name) for row in ROWS]


@pytest.mark.parametrize("known", [{"a", "b"}, {"a"}, {"a", "b", "c"}, set[str]()])
def test_unknown_columns_are_those_of_the_rows(known: set[str]) -> None:
    names = frozenset(known)
    first = next((name for name in ("a", "b") if name not in known), None)
    expected = {} if first is None else dict.fromkeys(range(3), first)
    assert unknown_columns(COLUMNS, names) == unknown_columns(ROWS, names) == expected


def test_the_first_unknown_column_of_a_row_is_told() -> None:
    assert unknown_columns([{"a": 1}, {"a": 1, "z": 1, "y": 2}], frozenset({"a"})) == {1: "z"}


def test_rows_without_columns() -> None:
    assert list(ColumnarRows({}, 2)) == [{}, {}]
