from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.data._lines import MAX_LINE_BYTES
from hotrow.data.formats import DescribedFormat, RawFormat, TableFormat, find_format, format_names
from hotrow.data.formats.criteo import CATEGORICAL_NAMES, DENSE_NAMES, Criteo
from hotrow.data.raw import MISSING_KEY
from hotrow.errors import ConfigError, DataError

Row = tuple[float, list[float], list[int]]
MakeRows = Callable[..., list[str]]
REAL = Path(__file__).parents[4] / "shared" / "data" / "criteo-kaggle-10k"
GOOD = b"\t".join([b"1", *[b"%d" % n for n in range(-3, 10)], *[b"%08x" % (n * 997) for n in range(26)]])


def reference(line: bytes, columns: int) -> Row | tuple[str, str]:
    """Parse one line the plain way: a row, or why not and in which column."""
    cells = line.removesuffix(b"\r").split(b"\t")
    if len(cells) != columns:
        return "column_count", ""
    label = cells.pop(0) if columns == 40 else b"0"
    if label not in (b"0", b"1"):
        return "label", "label"
    for name, cell in zip(DENSE_NAMES, cells, strict=False):
        if not re.fullmatch(rb"|-?[0-9]{1,18}", cell):
            return "integer", name
    for name, cell in zip(CATEGORICAL_NAMES, cells[13:], strict=True):
        if not re.fullmatch(rb"[0-9a-fA-F]{0,8}", cell):
            return "id", name
    dense = [float(cell) if cell else np.nan for cell in cells[:13]]
    return float(label), dense, [int(cell, 16) if cell else int(MISSING_KEY) for cell in cells[13:]]


def read(path: Path, block_bytes: int = 1 << 16) -> tuple[list[Row], list[tuple[int, str, str]], int]:
    """Read a log: its rows, its rejections (line, reason, column) and how many lines it has."""
    rows: list[Row] = []
    rejected, lines = [], 0
    for block in Criteo(block_bytes=block_bytes).read(path):
        labels = np.zeros(len(block.rows)) if block.rows.labels is None else block.rows.labels
        rows += zip(labels.tolist(), block.rows.dense.tolist(), block.rows.keys.T.tolist(), strict=True)
        rejected += [(row.line, row.reason, row.column) for row in block.rejected]
        lines += block.num_lines
    return rows, rejected, lines


BAD_CELLS = st.sampled_from(
    (
        *(
            b"",
            b"x",
            b"+1",
            b"1.5",
            b"-",
            b"--1",
            b" 1",
            b"1 ",
            b"\0",
            b"\xff\xfe",
            b"2",
            b"00",
            b"1\r",
            b"g0",
        ),
        *(
            b"0x1f",
            b"123456789",
            b"9" * 18,
            b"9" * 19,
            b"-" + b"9" * 18,
            b"\x10\x11",
            b"-0",
            b"ABCDEF12",
            b"nan",
        ),
    )
)


@st.composite
def logs(draw: st.DrawFn) -> list[bytes]:
    """Draw the lines of a log of which nearly half may be malformed, but not the majority."""
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        cells = GOOD.split(b"\t")
        for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
            cells[draw(st.integers(0, 39))] = draw(BAD_CELLS)
        width = draw(st.sampled_from([40, 40, 40, 39, 41, 1, 0]))
        line = b"\t".join([*cells, b"7"][:width])
        lines.append(line + draw(st.sampled_from([b"", b"", b"\r"])))
    return [GOOD] * 13 + lines


@settings(max_examples=150)
@given(lines=logs(), block_bytes=st.integers(5000, 9000), ends_with_newline=st.booleans())
def test_reads_what_the_reference_reads(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], block_bytes: int, ends_with_newline: bool
) -> None:
    lines += [] if ends_with_newline else [GOOD]  # an empty line at the end needs its newline
    path = tmp_path_factory.mktemp("criteo") / "log"
    path.write_bytes(b"\n".join(lines) + b"\n" * ends_with_newline)
    expected = [reference(line, 40) for line in lines]
    rows, rejected, count = read(path, block_bytes)
    assert count == len(lines)
    assert repr(rows) == repr([row for row in expected if len(row) == 3])
    faults = [(at, *row) for at, row in enumerate(expected, start=1) if len(row) == 2]
    assert rejected == faults
    assert len(rows) + len(rejected) == len(lines)


@pytest.mark.parametrize("labelled", [True, False], ids=["labelled", "unlabelled"])
def test_both_kinds_of_log(tmp_path: Path, criteo_rows: MakeRows, labelled: bool) -> None:
    lines = [line.encode() for line in criteo_rows(3000, labelled=labelled)]
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"\r\n".join(lines)))
    rows, rejected, count = read(path, 1 << 16)
    assert (len(rejected), count) == (0, 3000)
    assert repr(rows) == repr([reference(line, 40 if labelled else 39) for line in lines])
    kinds = {block.rows.labels is None for block in Criteo().read(path)}
    assert kinds == {not labelled}


def test_a_malformed_first_line_does_not_make_a_log_unlabelled(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(GOOD.partition(b"\t")[2] + b"\n" + GOOD + b"\n" + GOOD)
    rows, rejected, _ = read(path)
    assert (len(rows), rejected) == (2, [(1, "column_count", "")])


@pytest.mark.parametrize(
    "length", [MAX_LINE_BYTES - 1, MAX_LINE_BYTES, 5 * MAX_LINE_BYTES, 50 * MAX_LINE_BYTES]
)
@pytest.mark.parametrize("tail", [b"", b"\t" * 39], ids=["one column", "forty columns"])
def test_a_very_long_line_is_one_rejection(tmp_path: Path, length: int, tail: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(GOOD + b"\n" + (b"x" * (length - len(tail)) + tail) + b"\n" + GOOD + b"\n")
    for block_bytes in (MAX_LINE_BYTES, 3 * MAX_LINE_BYTES):
        rows, rejected, count = read(path, block_bytes)
        reason = ("column_count", "") if not tail else ("label", "label")
        expected = reason if length < MAX_LINE_BYTES else ("line_too_long", "")
        assert (len(rows), rejected, count) == (2, [(2, *expected)], 3)


def test_the_beginning_of_a_cut_line_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "log"
    start = GOOD[: GOOD.rindex(b"\t") + 1]
    path.write_bytes(GOOD + b"\n" + start + b"a" * 3000 + b"\n" + GOOD)
    for block_bytes in range(len(GOOD) + 1, len(GOOD) * 3, 7):
        rows, rejected, count = read(path, block_bytes)
        assert (len(rows), count) == (2, 3)
        assert [line for line, _, _ in rejected] == [2]


def test_rejections_carry_the_text_and_say_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "log"
    bad = GOOD.replace(b"\t4\t", b"\tfour\t")
    path.write_bytes(b"\n".join([GOOD, bad, b"a\tb", b"", GOOD]) + b"\n")
    rejections = [row for block in Criteo().read(path) for row in block.rejected]
    assert [row.text for row in rejections] == [bad, b"a\tb", b""]
    assert [str(row.error(path)).partition("log, ")[2] for row in rejections] == [
        "line 2, column I8: found 'four', expected an integer of at most 18 digits or nothing",
        "line 3: found 2 columns, expected 40 columns separated by TAB",
        "line 4: found an empty line, expected 40 columns separated by TAB",
    ]


@pytest.mark.parametrize("name", ["train.txt", "test_unlabelled.txt"])
def test_real_log(name: str) -> None:
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"no real data at {path}")
    lines = path.read_bytes().splitlines()
    rows, rejected, count = read(path, 1 << 20)
    assert (len(rejected), count) == (0, 10_000)
    assert repr(rows) == repr([reference(line, 40 if name == "train.txt" else 39) for line in lines])


def test_rows_given_as_mappings_equal_the_same_rows_of_a_log(tmp_path: Path, criteo_rows: MakeRows) -> None:
    lines = criteo_rows(50)
    path = tmp_path / "log"
    path.write_text("\n".join(lines) + "\n")
    rows = []
    for line in lines:
        cells = dict(zip((*DENSE_NAMES, *CATEGORICAL_NAMES), line.split("\t"), strict=True))
        rows.append(
            {name: int(cell) if name in DENSE_NAMES else cell for name, cell in cells.items() if cell}
        )
    (expected,) = Criteo().read(path)
    found = Criteo().block_from_rows(rows)
    assert np.array_equal(found.dense, expected.rows.dense, equal_nan=True)
    assert np.array_equal(found.keys, expected.rows.keys)
    assert found.labels is None


def test_absent_null_and_empty_values_are_missing() -> None:
    block = Criteo().block_from_rows([{}, {"I1": None, "C1": None}, {"I1": 2.0, "C1": ""}, {"C1": "F"}])
    assert np.isnan(block.dense[:, 1:]).all()
    assert repr(block.dense[:, 0].tolist()) == "[nan, nan, 2.0, nan]"
    assert block.keys[0].tolist() == [int(MISSING_KEY)] * 3 + [15]
    assert (block.keys[1:] == MISSING_KEY).all()
    assert len(Criteo().block_from_rows([])) == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [("I3", value) for value in ("3", 1.5, True, 10**18, -(10**400), float("nan"), float("inf"), [1])]
    + [("C4", value) for value in (7, "xyz", "123456789", "é", "1\t2", " 1", "+1", b"ff", True)],
    ids=repr,
)
def test_a_bad_value_names_row_and_column(column: str, value: object) -> None:
    rows = [{"I1": 1, "C1": "0f"}, {"I1": 2, "C1": "1a", column: value}]
    with pytest.raises(DataError, match=rf"rows\[1\], column {column}: found .*, expected a "):
        Criteo().block_from_rows(rows)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(DataError, match=r"rows\[1\], column I14: unknown column"):
        Criteo().block_from_rows([{"I1": 1}, {"I14": 1}])


def test_formats_are_found_by_name() -> None:
    assert {"criteo", "movielens"} <= set(format_names())
    for name in format_names():
        found = find_format(name)
        assert isinstance(found, RawFormat | DescribedFormat | TableFormat)
        assert found.name == name
    with pytest.raises(ConfigError, match="format: got 'crito', expected one of criteo"):
        find_format("crito")
