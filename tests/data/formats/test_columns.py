from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.data.formats._columns import first_cells, read_columns
from hotrow.data.formats._delimited import Field, Layout, Separator
from hotrow.data.keys import text_keys
from hotrow.data.raw import MISSING_KEY
from hotrow.errors import DataError, MissingFileError

FIELDS = (
    Field("user", "integer"),
    Field("score", "number", optional=True),
    Field("word", "text", optional=True),
    Field("rest", "skip"),
    Field("name", "string"),
)
LINES = ["1;3.5;caf\xe9;;a", "-20;;;x;bb", "3;1e2;q;y;c c", "4;-.5;r;;d"]


def layout(separator: Separator, *, header: bool = False, latin1: bool = False) -> Layout:
    return Layout(FIELDS, separator, header=header, latin1=latin1)


@pytest.mark.parametrize("separator", ["\t", ",", "|", "::"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("latin1", [False, True])
@pytest.mark.parametrize("header", [False, True])
def test_reads_columns(tmp_path: Path, separator: Separator, end: str, latin1: bool, header: bool) -> None:
    path = tmp_path / "file"
    lines = ["user;score;word;rest;name"] * header + LINES
    text = end.join(lines).replace(";", separator)
    path.write_bytes(text.encode("latin-1" if latin1 else "utf-8"))
    columns = read_columns(path, layout(separator, header=header, latin1=latin1))
    assert columns.lines.tolist() == [1 + header, 2 + header, 3 + header, 4 + header]
    assert columns["user"].tolist() == [1, -20, 3, 4]
    assert repr(columns["score"].tolist()) == "[3.5, nan, 100.0, -0.5]"
    words = text_keys(["caf\xe9", "q", "r"]).tolist()
    assert columns["word"].tolist() == [words[0], int(MISSING_KEY), *words[1:]]
    assert columns["name"].tolist() == ["a", "bb", "c c", "d"]
    assert "rest" not in columns.values
    assert (columns.source_info().rows, columns.source_info().rejected) == (4, 0)


@pytest.mark.parametrize("separator", ["\t", ",", "|", "::"])
def test_malformed_lines_are_set_aside_as_they_stand(tmp_path: Path, separator: Separator) -> None:
    path = tmp_path / "file"
    bad = ["x;1;a;b;c", "1;2", "5;one;a;b;c", ";1;a;b;c", "7;1;a;b;", ""]
    text = "\n".join([LINES[0], *bad, LINES[1]]).replace(";", separator) + "\n"
    path.write_bytes(text.encode())
    columns = read_columns(path, layout(separator))
    assert columns.lines.tolist() == [1, 8]
    rejected = columns.rejections()
    assert [row.text.decode() for row in rejected] == [line.replace(";", separator) for line in bad]
    assert [(row.line, row.reason, row.column) for row in rejected] == [
        (2, "integer", "user"),
        (3, "column_count", ""),
        (4, "number", "score"),
        (5, "integer", "user"),
        (6, "string", "name"),
        (7, "column_count", ""),
    ]
    assert [row.detail for row in rejected][:3] == [
        "found 'x', expected an integer of at most 18 digits",
        f"found 2 columns, expected 5 columns separated by {NAMES[separator]}",
        "found 'one', expected a number or nothing",
    ]
    assert columns.source_info().rejected == 6


NAMES = {"\t": "TAB", ",": "a comma", "|": "'|'", "::": "'::'"}


def test_line_numbers_go_on_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotrow.data.formats._columns.BLOCK_BYTES", 50)
    path = tmp_path / "file.gz"
    lines = ["number"] + [str(number) if number % 7 else "x" for number in range(1, 200)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    columns = read_columns(path, Layout((Field("number", "integer"),), header=True))
    assert np.array_equal(columns["number"] + 1, columns.lines)
    assert [row.line for row in columns.rejections()] == list(range(8, 200, 7))


NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


@settings(max_examples=200)
@given(cells=st.lists(st.text("0123456789.eE+-n \0_", max_size=12), min_size=1, max_size=9))
def test_numbers_are_those_that_python_reads(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    path = tmp_path_factory.mktemp("numbers") / "file"
    path.write_text("\n".join(["1", *cells]) + "\n")
    columns = read_columns(path, Layout((Field("x", "number"),)))
    good = [at for at, cell in enumerate(cells) if NUMBER.fullmatch(cell) and np.isfinite(float(cell))]
    assert columns.lines.tolist() == [1, *(at + 2 for at in good)]
    assert columns["x"].tolist() == [1.0, *(float(cells[at]) for at in good)]


@pytest.mark.parametrize("value", [0, -1, 2**53 + 1, 10**18 - 1, -(10**18 - 1)])
def test_whole_numbers_are_exact(tmp_path: Path, value: int) -> None:
    path = tmp_path / "file"
    path.write_text(f"{value}\n")
    assert read_columns(path, Layout((Field("x", "integer"),)))["x"].tolist() == [value]


def test_a_file_without_a_usable_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a\nb\n")
    with pytest.raises(
        DataError, match=r"file, line 1, column x: all 2 rows were rejected; first: found 'a'"
    ):
        read_columns(path, Layout((Field("x", "integer"),)))
    path.write_text("x\n")
    with pytest.raises(DataError, match=r"file: no rows in it"):
        read_columns(path, Layout((Field("x", "integer"),), header=True))
    with pytest.raises(MissingFileError, match="absent"):
        read_columns(tmp_path / "absent", Layout(()))


def test_the_first_line_is_read_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfa:token\tb\r\n" + b"x" * 200_000)
    assert first_cells(path, "\t") == ["a:token", "b"]
