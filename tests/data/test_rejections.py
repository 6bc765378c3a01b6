from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.rejections import Reason, RejectionLog, Rejections, escape

KINDS = (Reason("integer", "an integer", "I1", 0), Reason("column_count", "2 columns"))


def unescape(text: bytes) -> bytes:
    found = re.findall(r"\\x..|\\.|[^\\]", text.decode(), re.DOTALL)
    plain = {"\\\\": b"\\", "\\t": b"\t", "\\r": b"\r", "\\n": b"\n"}
    return b"".join(
        bytes.fromhex(part[2:]) if part[:2] == "\\x" else plain.get(part) or part.encode() for part in found
    )


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_escaped_text_is_one_tsv_cell_and_loses_nothing(text: bytes) -> None:
    escaped = escape(text)
    assert not any(byte < 0x20 or byte == 0x7F for byte in escaped)
    assert unescape(escaped) == text
    if text.isascii() and text.decode().isprintable() and b"\\" not in text:
        assert escaped == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (b"1\t2\r", rb"1\t2\r"),
        (b"a\\b\0", rb"a\\b\x00"),
        (b"caf\xc3\xa9 \xff", "café \\xff".encode()),
        (b"", b""),
    ],
)
def test_escapes(text: bytes, escaped: bytes) -> None:
    assert escape(text) == escaped


def some(lines: list[int], reasons: list[int]) -> Rejections:
    data = b"x\ty\nz\n"
    starts, ends = np.array([0, 4])[: len(lines)], np.array([3, 5])[: len(lines)]
    return Rejections(np.array(lines), np.array(reasons, dtype=np.uint8), starts, ends, data, KINDS)


def test_the_side_file_holds_source_line_reason_column_and_text(tmp_path: Path) -> None:
    with RejectionLog(tmp_path) as log:
        log.add(Path("a.txt"), some([3, 9], [0, 1]))
        log.add(Path("b.txt"), some([1], [1]).shifted(10))
    assert log.counts == {"integer": 1, "column_count": 2}
    assert log.path.read_text().splitlines() == [
        "source\tline\treason\tcolumn\ttext",
        "a.txt\t3\tinteger\tI1\tx\\ty",
        "a.txt\t9\tcolumn_count\t\tz",
        "b.txt\t11\tcolumn_count\t\tx\\ty",
    ]


def test_without_rejections_there_is_no_side_file(tmp_path: Path) -> None:
    with RejectionLog(tmp_path) as log:
        log.add(Path("a.txt"), some([], []))
    assert not log.path.exists()
    assert not log.counts
