"""In C++ (csrc/fields.cpp), without the GIL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.fields._op import Positions, Text

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def find_separators(text: Text) -> Positions:
    """Find TABs and newlines."""
    note_path("find_separators", "cpu")
    found = np.empty(len(text), dtype=np.int64)  # only what is written takes up memory
    return found[: _kernels.find_separators(text, found)].copy()


def read_hex(text: Text, starts: Positions, ends: Positions) -> tuple[NDArray[np.uint64], Positions]:
    """Read hexadecimal digits."""
    note_path("read_hex_fields", "cpu")
    values, wrong = np.empty(starts.shape[::-1], dtype=np.uint64), np.empty(len(starts), dtype=np.int64)
    _kernels.read_hex_fields(text, starts, ends, values, wrong)
    return values, wrong


def read_integers(text: Text, starts: Positions, ends: Positions) -> tuple[NDArray[np.float64], Positions]:
    """Read decimal digits."""
    note_path("read_integer_fields", "cpu")
    values, wrong = np.empty(starts.shape), np.empty(len(starts), dtype=np.int64)
    _kernels.read_integer_fields(text, starts, ends, values, wrong)
    return values, wrong
