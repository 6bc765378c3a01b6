from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotrow.data._lines import LEFT_PAD, RIGHT_PAD
from hotrow.kernels.fields.digits import DIGIT_VALUES, MISSING_KEY, eight_bytes_at, read_hex, read_integers

CELLS = st.lists(
    st.one_of(
        st.integers(-(10**18) + 1, 10**18 - 1).map(str),
        st.text("0123456789abcdefABCDEF", max_size=9),
        st.text("0123456789-+. \0\r\x10\x19:/@G`g\x7f", max_size=20),
        st.binary(max_size=10)
        .filter(lambda cell: b"\t" not in cell and b"\n" not in cell)
        .map(lambda cell: cell.decode("latin-1")),
    ),
    min_size=1,
    max_size=30,
)


def lay_out(cells: list[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Put cells into one line; return its words, and where each cell ends and how long it is."""
    padded = LEFT_PAD + b"\t".join(cells) + b"\n" + RIGHT_PAD
    lengths = np.array([len(cell) for cell in cells], dtype=np.int64)
    ends = np.cumsum(lengths + 1) - 1 + len(LEFT_PAD)
    return eight_bytes_at(padded.translate(DIGIT_VALUES)), ends, lengths


def is_hex(cell: bytes) -> bool:
    return len(cell) <= 8 and all(byte in b"0123456789abcdefABCDEF" for byte in cell)


def is_integer(cell: bytes) -> bool:
    digits = cell.removeprefix(b"-")
    return not cell or (1 <= len(digits) <= 18 and all(byte in b"0123456789" for byte in digits))


@given(CELLS)
def test_hex_reads_what_int_reads(texts: list[str]) -> None:
    cells = [text.encode("latin-1") for text in texts]
    values, malformed = read_hex(*lay_out(cells))
    assert malformed.tolist() == [not is_hex(cell) for cell in cells]
    for cell, value in zip(cells, values.tolist(), strict=True):
        if is_hex(cell):
            assert value == (int(cell, 16) if cell else int(MISSING_KEY))


@given(CELLS)
def test_integers_read_what_int_reads(texts: list[str]) -> None:
    cells = [text.encode("latin-1") for text in texts]
    is_negative = np.array([cell.startswith(b"-") for cell in cells])
    values, malformed = read_integers(*lay_out(cells), is_negative)
    assert malformed.tolist() == [not is_integer(cell) for cell in cells]
    for cell, value in zip(cells, values.tolist(), strict=True):
        if is_integer(cell):
            assert (value == float(int(cell))) if cell else np.isnan(value)


def test_every_length_and_both_ends_of_the_range() -> None:
    cells = [sign + b"9" * length for length in range(1, 19) for sign in (b"", b"-")]
    is_negative = np.array([cell.startswith(b"-") for cell in cells])
    values, malformed = read_integers(*lay_out(cells), is_negative)
    assert not malformed.any()
    assert values.tolist() == [float(int(cell)) for cell in cells]
