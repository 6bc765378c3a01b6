from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hotrow.errors import ConfigError, DataError, MissingFileError
from hotrow.load.raw_rows import Columns, RawFile, read_rows

COLUMNS = Columns(dense=("I1", "I2"), categorical=("C1",), lists=("h",))
ROWS: list[dict[str, Any]] = [
    {"I1": 3, "I2": -1.5, "C1": "a", "h": ["1", "2"]},
    {"I1": 0, "C1": "b"},
    {"h": ["7"]},
]
TABLES = {
    "header": "label,C1,I2,I1,h\n1,a,-1.5,3,1|2\n0,b,,0,\n0,,,,7\n",
    "quotes": 'C1,I2,I1,h,label\n"a",-1.5,3,1|2,"1,2"\nb,,0,,\n,,,7,x\n',
    "labelled": "1\t3\t-1.5\ta\t1|2\n0\t0\t\tb\t\n0\t\t\t\t7\n",
    "quotes and tabs": 'x"y\tC1\tI2\tI1\th\n"\ta\t-1.5\t3\t1|2\n,"\tb\t\t0\t\n""\t\t\t\t7\n',
    "bare": "3,-1.5,a,1|2\n0,,b,\n,,,7\n",
}


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_each_kind(tmp_path: Path, kind: str) -> None:
    assert read_rows(write(tmp_path / "t", TABLES[kind]), COLUMNS) == ROWS


def test_quotes_between_tabs_are_part_of_the_value(tmp_path: Path) -> None:
    (row,) = read_rows(write(tmp_path / "t", '3\t1\t"a,b"\t1|2\n'), COLUMNS)
    assert row["C1"] == '"a,b"'


def test_json_lines_keep_what_the_model_takes(tmp_path: Path) -> None:
    text = "".join(json.dumps(row | {"label": 1, "other": None}) + "\r\n" for row in ROWS)
    assert read_rows(write(tmp_path / "t.gz", text), COLUMNS) == ROWS


def test_a_long_file_is_read_to_a_limit(tmp_path: Path) -> None:
    assert len(read_rows(write(tmp_path / "t", TABLES["bare"]), COLUMNS, most=2)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("I1,C1\n1,a\n", "line 1, column I2: is not in the header"),
        ("1,2\n", "line 1: found 2 columns, expected 4 columns of the model, or one more for a label"),
        ("1,2,a,\n1,2\n", "line 2: found 2 columns, expected 4"),
        ('1,2,"a\n,3\n', "line 1: found unexpected end of data, expected cells in quotes to end"),
        ("1,x,a,\n", "line 1, column I2: found 'x', expected a number or nothing"),
        ('{"I1": 1}\n[]\n', "line 2: Expected `object`, got `array`, expected a JSON object"),
        ('{"I1": 1}\n{\n', "line 2: Input data was truncated"),
    ],
)
def test_mistakes_are_told_by_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_rows(write(tmp_path / "t", text), COLUMNS)


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match="not text"):
        read_rows(tmp_path / "t", COLUMNS)
    (tmp_path / "t.gz").write_bytes(b"1,2,a,\n")
    with pytest.raises(DataError, match="not text"):
        read_rows(tmp_path / "t.gz", COLUMNS)
    with pytest.raises(MissingFileError, match="expected a file of raw rows"):
        read_rows(tmp_path / "none", COLUMNS)


def test_queries_have_different_rows_of_the_file(tmp_path: Path) -> None:
    text = "".join(f"{row},,c{row % 7},\n" for row in range(100))
    source = RawFile(write(tmp_path / "t", text), COLUMNS, seed=2)
    assert source.rows == 100
    content = source.content(4, 60)
    assert content.context == {}
    assert len({row["I1"] for row in content.candidates}) == 60
    assert content == source.content(4, 60)
    assert content != source.content(5, 60)


def test_a_context_is_that_of_one_row(tmp_path: Path) -> None:
    text = "".join(f"{row},{row},c{row},\n" for row in range(20))
    path = write(tmp_path / "t", text)
    content = RawFile(path, COLUMNS, seed=0, context=("I2", "C1")).content(0, 5)
    assert content.context.keys() == {"I2", "C1"}
    assert content.context["I2"] == content.candidates[0]["I1"]
    assert all(row.keys() == {"I1"} for row in content.candidates)
    with pytest.raises(ConfigError, match="--context: got 'C9'"):
        RawFile(path, COLUMNS, seed=0, context=("C9",))
