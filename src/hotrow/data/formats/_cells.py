"""Reading one column of cells given as places in a padded block of text, all at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.data.keys import bytes_keys
from hotrow.data.raw import MISSING_KEY
from hotrow.kernels.fields.digits import DIGIT_VALUES, MAX_DECIMAL_DIGITS, eight_bytes_at, read_int64

CellKind = Literal["integer", "number", "text", "string", "skip"]
"""How a cell is read: a whole number of at most 18 digits, a decimal number, text that is hashed to a key,
text that is kept (short files only), or not at all."""

_EXPECTED = {
    "integer": f"an integer of at most {MAX_DECIMAL_DIGITS} digits",
    "number": "a number",
    "text": "text",
    "string": "text",
    "skip": "anything",
}
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_MAX_NUMBER_BYTES = 40
_EXACT_DIGITS = 15  # of a whole number that float64 holds
_MAX_DECIMAL_BYTES = _EXACT_DIGITS + 2  # with its point and sign
_MINUS = ord("-")
Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """A padded block of text, ready to be read.

    Attributes:
        text: its bytes.
        view: the same as an array.
        digits: the word at each byte, digits translated to their values.
    """

    text: bytes
    view: NDArray[np.uint8]
    digits: NDArray[np.uint64]

    @classmethod
    def of(cls, text: bytes) -> Cells:
        """Prepare a padded block."""
        view = np.frombuffer(text, dtype=np.uint8)
        return cls(text, view, eight_bytes_at(text.translate(DIGIT_VALUES)))


def expected_of(kind: CellKind, *, optional: bool) -> str:
    """Return a phrase for messages."""
    return _EXPECTED[kind] + (" or nothing" if optional else "")


def read_cells(
    cells: Cells, starts: Positions, ends: Positions, kind: CellKind
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read a column; empty cells are 0, NaN, ``MISSING_KEY`` or an empty string.

    Returns:
        (R,) values, and which cells are malformed; an empty one is not.
    """
    lengths = ends - starts
    if kind == "integer":
        return read_int64(cells.digits, ends, lengths, _is_negative(cells, starts, lengths))
    if kind == "number":
        return _read_numbers(cells, starts, ends)
    if kind == "text":
        keys = bytes_keys(cells.view, starts, lengths)
        np.copyto(keys, MISSING_KEY, where=lengths == 0)
        return keys, np.zeros(len(keys), dtype=np.bool_)
    places = zip(starts.tolist(), ends.tolist(), strict=True)
    strings = np.empty(len(starts), dtype=object)
    strings[:] = [cells.text[start:end].decode("utf-8", "replace") for start, end in places]
    return strings, np.zeros(len(strings), dtype=np.bool_)


def _is_negative(cells: Cells, starts: Positions, lengths: Positions) -> NDArray[np.bool_]:
    is_negative: NDArray[np.bool_] = (cells.view[starts] == _MINUS) & (lengths > 0)
    return is_negative


def _read_numbers(
    cells: Cells, starts: Positions, ends: Positions
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read decimal numbers: whole ones fast, the others once for each different text."""
    lengths = ends - starts
    whole, malformed = read_int64(cells.digits, ends, lengths, _is_negative(cells, starts, lengths))
    values = whole.astype(np.float64)
    np.copyto(values, np.nan, where=lengths == 0)
    other = np.flatnonzero(malformed & (lengths <= _MAX_NUMBER_BYTES))
    short = other[lengths[other] <= _MAX_DECIMAL_BYTES]
    if short.size:
        values[short], malformed[short] = _read_decimals(*_letters(cells, starts[short], ends[short]))
        other = other[malformed[other]]
    if other.size:
        letters, inside = _letters(cells, starts[other], ends[other])
        width = letters.shape[1]
        texts, inverse = np.unique(letters.view(f"S{width}")[:, 0], return_inverse=True)
        floats = np.array([_float(text) for text in texts.tolist()])
        values[other] = floats[inverse]
        malformed[other] = ~np.isfinite(values[other]) | ((letters == 0) & inside).any(axis=1)
    return values, malformed


def _letters(cells: Cells, starts: Positions, ends: Positions) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the bytes of cells, (R, W), and which of them are inside.

    Bytes beyond a cell are NUL, which NumPy's byte strings drop at their end.
    """
    places = starts[:, None] + np.arange(int((ends - starts).max()))
    inside = places < ends[:, None]
    return np.where(inside, cells.view[np.where(inside, places, 0)], 0).astype(np.uint8), inside


def _read_decimals(
    letters: NDArray[np.uint8], inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read numbers such as -12.5 that have at most 15 digits, all at once.

    Such digits are a whole number that a float holds, as it does the power of ten that divides it: the
    quotient is the nearest float, as Python's is.

    Returns:
        (R,) values, and which cells are something else.
    """
    is_negative = letters[:, 0] == _MINUS
    whole = np.zeros(len(letters))
    digits, decimals, points = (np.zeros(len(letters), dtype=np.int64) for _ in range(3))
    wrong = np.zeros(len(letters), dtype=np.bool_)
    for at, column in enumerate(letters.T):
        digit = column - np.uint8(ord("0"))
        is_digit = digit < 10
        is_point = column == ord(".")
        whole = np.where(is_digit, whole * 10 + digit, whole)
        digits += is_digit
        decimals += is_digit & (points > 0)
        points += is_point
        is_known = is_digit | is_point | ~inside[:, at]
        wrong |= ~(is_known | is_negative) if at == 0 else ~is_known
    wrong |= (points != 1) | (digits == 0) | (digits > _EXACT_DIGITS)
    values = whole / np.power(10.0, np.minimum(decimals, _EXACT_DIGITS))
    return np.where(is_negative, -values, values), wrong


def _float(text: bytes) -> float:
    return float(text) if _NUMBER.fullmatch(text) else np.nan
