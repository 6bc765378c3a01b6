from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data._lines import LEFT_PAD, RIGHT_PAD, block_lines
from hotrow.data.formats._quoted import unquote

LETTERS = st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])
CELLS = st.text(st.sampled_from('",\t;|a é') | LETTERS, max_size=6)
TABLES = st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=6)


def padded(lines: list[str], end: str = "\n") -> bytes:
    return LEFT_PAD + "".join(line + end for line in lines).encode() + RIGHT_PAD


def cells_of(marked: bytes, text: bytes) -> list[list[str]]:
    """Cut the text where the marked block has its TABs and line ends."""
    found = []
    place = len(LEFT_PAD)
    for line in block_lines(marked):
        cells = []
        for piece in line.split(b"\t"):
            cells.append(text[place : place + len(piece)])
            place += len(piece) + 1
        cells[-1] = cells[-1].removesuffix(b"\r")
        found.append([each.decode() for each in cells])
    return found


@given(
    table=TABLES,
    delimiter=st.sampled_from(",\t;|"),
    quoting=st.sampled_from([0, 1]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_csv_module_writes_is_read(
    table: list[list[str]], delimiter: str, quoting: int, end: str
) -> None:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(table)  # type: ignore[arg-type]
    block = LEFT_PAD + stream.getvalue().encode() + RIGHT_PAD
    found = unquote(block, delimiter, quotes=True)
    assert found.faults == {}
    assert len(found.marked) == len(found.text)
    assert cells_of(found.marked, found.text) == table


@given(st.lists(st.text(st.sampled_from('",a\tb '), max_size=8), min_size=1, max_size=5))
def test_any_line_is_what_the_csv_module_makes_of_it(lines: list[str]) -> None:
    found = unquote(padded(lines), ",", quotes=True)
    cells = cells_of(found.marked, found.text)
    assert len(cells) == len(lines)
    for at, line in enumerate(lines):
        try:
            expected = next(csv.reader([line], strict=True)) if '"' in line else line.split(",")
        except csv.Error:
            assert at in found.faults
            assert cells[at] == [""]
        else:
            assert at not in found.faults
            assert cells[at] == expected


@pytest.mark.parametrize("line", ['1,"open', '"a"b,1', '1,"'])
def test_a_quote_that_does_not_end_is_a_fault_of_its_line(line: str) -> None:
    found = unquote(padded(["1,2", line, "3,4"]), ",", quotes=True)
    assert list(found.faults) == [1]
    fault = found.faults[1]
    assert (fault.column, fault.reason) == ("", "quotes")
    assert fault.detail.endswith("expected cells in quotes to end on the same line, and nothing behind them")
    assert cells_of(found.marked, found.text) == [["1", "2"], [""], ["3", "4"]]


def test_quotes_may_be_letters_like_others() -> None:
    found = unquote(padded(['"a",b"', "c\td,e"]), ",", quotes=False)
    assert cells_of(found.marked, found.text) == [['"a"', 'b"'], ["c\td", "e"]]
