from __future__ import annotations

from pathlib import Path

import pytest

from hotrow.errors import DataError, MissingFileError
from hotrow.load.trace import read_trace


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_sizes_alone(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path / "t", "# sizes\n100\n\n 7 \n"))
    assert trace.sizes.tolist() == [100, 7]
    assert trace.arrivals_s is None


def test_arrivals_count_from_the_first(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path / "t", "10.5,100\n10.75,7\n10.75,8\n"))
    assert trace.sizes.tolist() == [100, 7, 8]
    assert trace.arrivals_s is not None
    assert trace.arrivals_s.tolist() == [0, 0.25, 0.25]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no queries, expected SIZE or ARRIVAL,SIZE"),
        ("# nothing\n", "no queries"),
        ("1\nx\n", "line 2: found 'x', expected a size of at least 1"),
        ("1\n0\n", "line 2: found '0'"),
        ("1\n2.5\n", "line 2: found '2.5'"),
        ("1\n2,3\n", "line 2: found '2,3', expected a size of at least 1"),
        ("0,1\n\n5\n", "line 3: found '5', expected an arrival in seconds, a comma and a size"),
        ("0,1\nnan,1\n", "line 2: found 'nan,1'"),
        ("1\n1e300\n", r"line 2, column SIZE: found 1e\+300, expected at most 2\^53"),
        ("0,1\n1,1e19\n", r"line 2, column SIZE: found 1e\+19"),
        (
            "-1e308,1\n1e308,1\n",
            r"line 1, column ARRIVAL: found -1e\+308, expected at most 2\^53 either side",
        ),
        ("0,1\n1e308,1\n", r"line 2, column ARRIVAL: found 1e\+308"),
        ("0,1,2\n", "line 1: found '0,1,2'"),
        ("0,1\n2,1\n1,1\n", "line 3: arrives before the line above"),
    ],
)
def test_mistakes_are_told_by_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_trace(write(tmp_path / "t", text))


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="expected a trace"):
        read_trace(tmp_path / "none")
    with pytest.raises(DataError, match="not text"):
        read_trace(tmp_path)
    (tmp_path / "b").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match="not text"):
        read_trace(tmp_path / "b")
