"""Reading one column of Python values, as JSON or the cells of a table give them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hotrow.data.keys import MAX_INTEGER, MIN_INTEGER, integer_keys, text_keys
from hotrow.data.raw import MISSING_KEY
from hotrow.data.schema import KeyType

IsWrong = NDArray[np.bool_]

EXPECTED_NUMBER = "a finite number or null"
EXPECTED_LABEL = "0 or 1"
EXPECTED_KEY: dict[KeyType, str] = {
    "hex32": "a string of at most 8 hexadecimal digits or null",
    "integer": "a whole number of 64 bits or null",
    "text": "text or null",
}

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_HEX = re.compile(r"[0-9a-fA-F]{1,8}")


def read_numbers(values: Sequence[object]) -> tuple[NDArray[np.float64], IsWrong]:
    """Read numbers; None is NaN.

    Returns:
        (B,) values, and which are no finite numbers.
    """
    found = np.array([_number(value) for value in values], dtype=np.float64)
    is_absent = np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))
    return found, np.isnan(found) & ~is_absent


def read_labels(values: Sequence[object]) -> tuple[NDArray[np.float32], IsWrong]:
    """Read labels; what is neither 0 nor 1 is wrong."""
    found = np.array([_number(value) for value in values], dtype=np.float64)
    return found.astype(np.float32), (found != 0) & (found != 1)


def read_keys(values: Sequence[object], key_type: KeyType) -> tuple[NDArray[np.uint64], IsWrong]:
    """Read ids; None and empty text are ``MISSING_KEY``.

    A whole number may be given by its digits, and text that is one as a number.

    Returns:
        (B,) keys, and which values are wrong.
    """
    is_absent = np.fromiter((value is None or value == "" for value in values), np.bool_, len(values))
    if key_type == "text":
        texts = [_text(value) for value in values]
        is_wrong = np.fromiter((text is None for text in texts), np.bool_, len(texts)) & ~is_absent
        keys = text_keys([text or "" for text in texts])
    else:
        read = _integer if key_type == "integer" else _hex
        numbers = [read(value) for value in values]
        is_wrong = np.fromiter((number is None for number in numbers), np.bool_, len(numbers)) & ~is_absent
        whole = np.array([number or 0 for number in numbers], dtype=np.int64)
        keys = integer_keys(whole) if key_type == "integer" else whole.view(np.uint64)
    np.copyto(keys, MISSING_KEY, where=is_absent)
    return keys, is_wrong


def _number(value: object) -> float:
    """Return a finite number, NaN for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        found = float(value)
    except OverflowError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def _integer(value: object) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if MIN_INTEGER <= value <= MAX_INTEGER else None


def _hex(value: object) -> int | None:
    return int(value, 16) if isinstance(value, str) and _HEX.fullmatch(value) else None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
