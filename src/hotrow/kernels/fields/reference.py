"""The specification, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.fields import digits
from hotrow.kernels.fields._op import Positions, Text

_TAB, _MINUS = 9, ord("-")
_ROWS_AT_ONCE = 4096  # few enough for a core's cache, many enough to seldom wait for the GIL


def find_separators(text: Text) -> Positions:
    """Find TABs and newlines, which are neighbours in ASCII."""
    note_path("find_separators", "reference")
    return np.flatnonzero((text - np.uint8(_TAB)) < 2)


def read_hex(text: Text, starts: Positions, ends: Positions) -> tuple[NDArray[np.uint64], Positions]:
    """Read hexadecimal digits."""
    note_path("read_hex_fields", "reference")
    words = digits.eight_bytes_at(text.tobytes().translate(digits.DIGIT_VALUES))
    values, wrong = np.empty(starts.shape[::-1], dtype=np.uint64), np.empty(len(starts), dtype=np.int64)
    for row in range(0, len(starts), _ROWS_AT_ONCE):
        rows = slice(row, row + _ROWS_AT_ONCE)
        # Contiguous copies: each is gone over many times, and short rows are slow for NumPy.
        read, is_wrong = digits.read_hex(words, ends[rows].copy(), (ends[rows] - starts[rows]).copy())
        values[:, rows], wrong[rows] = read.T, _first(is_wrong)
    return values, wrong


def read_integers(text: Text, starts: Positions, ends: Positions) -> tuple[NDArray[np.float64], Positions]:
    """Read decimal digits."""
    note_path("read_integer_fields", "reference")
    words = digits.eight_bytes_at(text.tobytes().translate(digits.DIGIT_VALUES))
    values, wrong = np.empty(starts.shape), np.empty(len(starts), dtype=np.int64)
    for row in range(0, len(starts), _ROWS_AT_ONCE):
        rows = slice(row, row + _ROWS_AT_ONCE)
        lengths = (ends[rows] - starts[rows]).copy()
        is_negative = (text[starts[rows]] == _MINUS) & (lengths > 0)
        values[rows], is_wrong = digits.read_integers(words, ends[rows].copy(), lengths, is_negative)
        wrong[rows] = _first(is_wrong)
    return values, wrong


def _first(is_wrong: NDArray[np.bool_]) -> Positions:
    """Return each row's first wrong field, or -1."""
    found = np.full(len(is_wrong), -1, dtype=np.int64)
    rows = np.flatnonzero(is_wrong.any(axis=1))
    found[rows] = is_wrong[rows].argmax(axis=1)
    return found
