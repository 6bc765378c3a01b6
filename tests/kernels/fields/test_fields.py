"""What every backend reads is what Python reads."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotrow.kernels import fields as operator
from hotrow.kernels.dispatch import available_backends, record_paths

MISSING = 2**64 - 1
COLUMNS = 3
CELL = st.one_of(
    st.integers(-(10**18) + 1, 10**18 - 1).map(str),
    st.text("0123456789abcdefABCDEF", max_size=9),
    st.text("0123456789-+. \0\r\x10\x19:/@G`g\x7f", max_size=20),
    st.text(st.characters(max_codepoint=255, exclude_characters="\t\n"), max_size=10),
)
ROWS = st.lists(st.lists(CELL, min_size=COLUMNS, max_size=COLUMNS), max_size=20)


@pytest.fixture(params=available_backends("fields"), scope="module")
def backend(request: Any) -> Any:
    return operator.OPERATOR.select(request.param).implementation


def lay_out(rows: list[list[bytes]]) -> NDArray[np.uint8]:
    """Return a block of text whose lines have ``COLUMNS`` cells."""
    text = b"".join(b"\t".join(row) + b"\n" for row in rows)
    return np.frombuffer(b"7" * 24 + text + b"7" * 8, dtype=np.uint8)


def places(backend: ModuleType, text: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and ends of fields, (R, COLUMNS)."""
    separators = backend.find_separators(text)
    assert separators.tolist() == [at for at, byte in enumerate(text.tobytes()) if byte in b"\t\n"]
    starts = np.concatenate(([24], separators[:-1] + 1)) if len(separators) else separators
    return starts.reshape(-1, COLUMNS), separators.reshape(-1, COLUMNS)


def hex_of(cell: bytes) -> int | None:
    """Return a cell's value, or None where it has none."""
    if cell == b"":
        return MISSING
    return int(cell, 16) if re.fullmatch(rb"[0-9a-fA-F]{1,8}", cell) else None


def integer_of(cell: bytes) -> float | None:
    """Likewise; minus nothing is a zero of its own."""
    if cell == b"":
        return float("nan")
    return float(cell) if re.fullmatch(rb"-?[0-9]{1,18}", cell) else None


def require(values: Any, wrong: Any, expected: list[list[Any]]) -> None:
    """Compare values (R, F) and first wrong fields (R,) with what each cell has."""
    for row, found in enumerate(expected):
        assert wrong[row] == next((at for at, value in enumerate(found) if value is None), -1)
        for at, value in enumerate(found):
            if value is not None:
                np.testing.assert_equal(values[row, at].item(), value)


@example([["0", "-", "-1"], ["", "9" * 18, "-" + "9" * 18], ["9" * 19, "ffffffff", "123456789"]])
@example([["@", "g", ":"], ["A", "G", "`"], ["a\x80", "\x10", "q"], ["-0", "00000000", "- 1"]])
@given(ROWS)
def test_reads_what_python_reads(backend: ModuleType, rows: list[list[str]]) -> None:
    cells = [[cell.encode("latin-1") for cell in row] for row in rows]
    text = lay_out(cells)
    starts, ends = places(backend, text)
    values, wrong = backend.read_hex(text, starts, ends)
    require(values.T, wrong, [[hex_of(cell) for cell in row] for row in cells])
    values, wrong = backend.read_integers(text, starts, ends)
    require(values, wrong, [[integer_of(cell) for cell in row] for row in cells])
    values, wrong = backend.read_integers(text, starts[:, 1:], ends[:, 1:])
    require(values, wrong, [[integer_of(cell) for cell in row[1:]] for row in cells])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 63, 64, 65, 200])
def test_separators_anywhere(backend: ModuleType, size: int) -> None:
    text = np.random.default_rng(size).integers(8, 12, size, dtype=np.uint8)
    assert backend.find_separators(text).tolist() == np.flatnonzero((text == 9) | (text == 10)).tolist()


def test_paths_are_noted(backend: ModuleType) -> None:
    text = lay_out([[b"1", b"2", b"3"]])
    with record_paths() as paths:
        starts, ends = places(backend, text)
        backend.read_hex(text, starts, ends)
        backend.read_integers(text, starts, ends)
    name = backend.__name__.rpartition(".")[2]
    assert paths == [
        (called, name) for called in ("find_separators", "read_hex_fields", "read_integer_fields")
    ]
