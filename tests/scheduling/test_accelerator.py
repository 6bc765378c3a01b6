from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.errors import DataError, MissingFileError, UserError
from hotrow.scheduling.accelerator import LatencyTable, read_latency_table

TABLE = LatencyTable((1, 64, 1024), (2.0, 3.0, 9.0), "gpu.csv")


@given(st.integers(1, 1024))
def test_between_points_it_is_numpys_straight_line(rows: int) -> None:
    assert TABLE(rows) == pytest.approx(np.interp(rows, TABLE.rows, TABLE.ms))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8), st.data())
def test_more_rows_never_take_less(times: list[float], data: st.DataObject) -> None:
    rows = sorted(
        data.draw(st.sets(st.integers(1, 1000), min_size=len(times), max_size=len(times)), label="rows")
    )
    table = LatencyTable(tuple(rows), tuple(sorted(times)), "x")
    values = [table(row) for row in range(1, table.largest + 1)]
    assert all(before <= after + 1e-9 for before, after in pairwise(values))


def test_beyond_its_points_nothing_is_guessed() -> None:
    assert LatencyTable((16, 32), (2.0, 3.0), "x")(1) == 2.0
    with pytest.raises(ValueError, match="beyond the modelled accelerator"):
        TABLE(1025)
    TABLE.require(1024)
    with pytest.raises(DataError, match=r"gpu\.csv: ends at 1024 rows, expected a point .* 1025 rows"):
        TABLE.require(1025)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "rows,ms\n1024,9\n\n1,2.0\n64,3\n"),
        ("t.json", '{"rows": [1, 1024, 64], "ms": [2, 9.0, 3], "device": "H100"}'),
    ],
)
def test_files_are_read_in_any_order(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    table = read_latency_table(tmp_path / name)
    assert (table.rows, table.ms, table.moved) == (TABLE.rows, TABLE.ms, 0)
    assert table.label == f"modelled accelerator ({name}: 3 points from 1 to 1024 rows)"


def test_noise_is_smoothed_and_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("rows,ms\n1,2\n2,4\n4,3\n8,9\n")
    table = read_latency_table(tmp_path / "t.csv")
    assert list(table.ms) == [2, 3.5, 3.5, 9]
    assert "2 of them moved to rise" in table.label


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "", "line 1: header is '', expected rows,ms"),
        ("t.csv", "rows,ms\n", "holds no points"),
        ("t.csv", "rows,ms\n1,2,3\n", "line 2: has 3 columns, expected 2"),
        ("t.csv", "rows,ms\n1,2\nx,3\n", "line 3, column rows: got 'x', expected a whole number"),
        ("t.csv", "rows,ms\n1,nan\n", "line 2, column ms: got nan, expected milliseconds above 0"),
        ("t.csv", "rows,ms\n1.5,2\n", "column rows: got 1.5"),
        ("t.csv", "rows,ms\n0,2\n", "column rows: got 0.0"),
        ("t.csv", "rows,ms\n1,2\n1,3\n", "two points at 1 rows"),
        ("t.json", "{", "is not JSON"),
        ("t.json", "[]", 'expected an object with the fields "rows" and "ms"'),
        ("t.json", '{"rows": [1], "ms": [1, 2]}', "arrays of the same length"),
        ("t.json", '{"rows": [1], "ms": [true]}', r'column "ms"\[0\]: got True'),
        ("t.json", '{"rows": [1], "ms": [-1]}', r'column "ms"\[0\]: got -1'),
        ("t.json", '{"rows": [1e999], "ms": [1]}', r'column "rows"\[0\]: got inf'),
    ],
)
def test_faults_name_their_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read_latency_table(tmp_path / name)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="a table of latencies"):
        read_latency_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes(b"rows,ms\n\xff")
    with pytest.raises(DataError, match="not UTF-8"):
        read_latency_table(tmp_path / "t.csv")


@given(text=st.text(max_size=60), name=st.sampled_from(["t.csv", "t.json"]))
def test_any_text_is_a_table_or_an_error_of_the_user(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(UserError):
        read_latency_table(path)
