"""Reading one column of cells given as places in a padded block of text, all at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.data._digits import DIGIT_VALUES, MAX_DECIMAL_DIGITS, read_int64
from hotrow.data._fields import eight_bytes_at
from hotrow.data.keys import bytes_keys
from hotrow.data.raw import MISSING_KEY

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
    if other.size:
        width = int(lengths[other].max())
        # Bytes beyond a cell become NUL, which NumPy's byte strings drop at their end.
        places = starts[other, None] + np.arange(width)
        inside = places < ends[other, None]
        letters = np.where(inside, cells.view[np.where(inside, places, 0)], 0).astype(np.uint8)
        texts, inverse = np.unique(letters.view(f"S{width}")[:, 0], return_inverse=True)
        floats = np.array([_float(text) for text in texts.tolist()])
        values[other] = floats[inverse]
        malformed[other] = ~np.isfinite(values[other]) | ((letters == 0) & inside).any(axis=1)
    return values, malformed


def _float(text: bytes) -> float:
    return float(text) if _NUMBER.fullmatch(text) else np.nan
