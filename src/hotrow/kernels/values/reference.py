"""The specification, in plain Python."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.values._op import MAX_HEX_DIGITS, MISSING_KEY, MOST_INTEGER

_HEX = re.compile(r"[0-9a-fA-F]+")
_NOT_ZERO = re.compile(r"^[^eE]*[1-9]")
_LENGTH_BYTES = 4


def read_integers(values: Sequence[object], out: NDArray[np.float64]) -> int:
    """Read whole numbers; None is NaN."""
    note_path("read_integers", "reference")
    for at, value in enumerate(values):
        if value is None:
            out[at] = math.nan
        elif isinstance(value, int | float) and not isinstance(value, bool) and _is_whole(value):
            out[at] = value
        else:
            return at
    return -1


def read_hex(values: Sequence[object], out: NDArray[np.uint64]) -> int:
    """Read hexadecimal digits; None and empty text are missing."""
    note_path("read_hex", "reference")
    for at, value in enumerate(values):
        if value is None or value == "":
            out[at] = MISSING_KEY
        elif isinstance(value, str) and len(value) <= MAX_HEX_DIGITS and _HEX.fullmatch(value):
            out[at] = int(value, 16)
        else:
            return at
    return -1


def read_texts(data: bytes, count: int) -> list[str] | None:
    """Read texts behind their lengths."""
    note_path("read_texts", "reference")
    texts: list[str] = []
    at = 0
    for _ in range(count):
        end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "little")
        if at + _LENGTH_BYTES > len(data) or end > len(data):
            return None
        try:
            texts.append(data[at + _LENGTH_BYTES : end].decode())
        except UnicodeDecodeError:
            return None
        at = end
    return texts if at == len(data) else None


def read_json_reals(text: bytes, out: NDArray[np.float64]) -> bool:
    """Read a flat JSON array of numbers."""
    note_path("read_json_reals", "reference")
    return _read_json(text, out, _real)


def read_json_integers(text: bytes, out: NDArray[np.int64]) -> bool:
    """Read a flat JSON array of whole numbers."""
    note_path("read_json_integers", "reference")
    return _read_json(text, out, int)


def _is_whole(value: float) -> bool:
    return (isinstance(value, int) or value.is_integer()) and abs(value) < MOST_INTEGER


def _real(text: str) -> float:
    value = float(text)
    if value == 0 and _NOT_ZERO.search(text):
        raise ValueError(f"{text} is too small")
    return value


def _read_json(text: bytes, out: NDArray[Any], kind: Callable[[str], Any]) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        found = json.loads(text.decode("ascii"), parse_int=kind, parse_float=kind, parse_constant=refuse)
        if not isinstance(found, list) or len(found) != len(out):
            return False
        if not all(type(value) in (int, float) and math.isfinite(value) for value in found):
            return False
        out[:] = found
    except (ValueError, OverflowError, RecursionError):
        return False
    return True
