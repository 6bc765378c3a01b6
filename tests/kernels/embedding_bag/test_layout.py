"""Layouts that no kernel could follow are refused when they are made."""

from __future__ import annotations

import pytest

from hotrow.kernels.embedding_bag import FeatureSpec, Layout, TableSpec

TABLE = TableSpec("a", 3, 4)
FEATURE = FeatureSpec("f", 0)


@pytest.mark.parametrize("table", [TableSpec("a", 0, 4), TableSpec("a", 3, 0), TableSpec("a", 2**32, 4)])
def test_tables_without_rows_or_columns_or_with_too_many(table: TableSpec) -> None:
    with pytest.raises(ValueError, match=r"^table a: got .* rows of width"):
        Layout((table,), (FEATURE,))


@pytest.mark.parametrize("table", [-1, 1])
def test_features_of_tables_that_do_not_exist(table: int) -> None:
    with pytest.raises(ValueError, match=f"^feature f: got table {table} of 1 tables$"):
        Layout((TABLE,), (FeatureSpec("f", table),))


def test_nothing_to_look_up() -> None:
    with pytest.raises(ValueError, match="at least one table and one feature"):
        Layout((TABLE,), ())
    with pytest.raises(ValueError, match="at least one table and one feature"):
        Layout((), (FEATURE,))
