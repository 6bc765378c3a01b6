"""In C++ (csrc/values.cpp, csrc/bindings/values.cpp); the GIL is held."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def read_integers(values: Sequence[object], out: NDArray[np.float64]) -> int:
    """Read whole numbers; None is NaN."""
    note_path("read_integers", "cpu")
    return _kernels.read_integers(values, out)


def read_hex(values: Sequence[object], out: NDArray[np.uint64]) -> int:
    """Read hexadecimal digits; None and empty text are missing."""
    note_path("read_hex", "cpu")
    return _kernels.read_hex(values, out)


def read_texts(data: bytes, count: int) -> list[str] | None:
    """Read texts behind their lengths."""
    note_path("read_texts", "cpu")
    return _kernels.read_texts(data, count)


def read_json_reals(text: bytes, out: NDArray[np.float64]) -> bool:
    """Read a flat JSON array of numbers."""
    note_path("read_json_reals", "cpu")
    return _kernels.read_json_reals(text, out)


def read_json_integers(text: bytes, out: NDArray[np.int64]) -> bool:
    """Read a flat JSON array of whole numbers."""
    note_path("read_json_integers", "cpu")
    return _kernels.read_json_integers(text, out)
