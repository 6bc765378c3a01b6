"""The functions, on the best backend there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.dispatch import Operator

MISSING_KEY = 0xFFFF_FFFF_FFFF_FFFF
MOST_INTEGER = 10**18
MAX_HEX_DIGITS = 8


class Implementation(Protocol):
    """What every backend has; the functions below say what they do."""

    def read_integers(self, values: Sequence[object], out: NDArray[np.float64]) -> int:
        """See below."""

    def read_hex(self, values: Sequence[object], out: NDArray[np.uint64]) -> int:
        """See below."""

    def read_texts(self, data: bytes, count: int) -> list[str] | None:
        """See below."""

    def read_json_reals(self, text: bytes, out: NDArray[np.float64]) -> bool:
        """See below."""

    def read_json_integers(self, text: bytes, out: NDArray[np.int64]) -> bool:
        """See below."""


def _load_reference() -> Implementation:
    from hotrow.kernels.values import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.values import cpu

    return cpu


OPERATOR: Operator[Implementation] = Operator("values", {"reference": _load_reference, "cpu": _load_cpu})


def read_integers(values: Sequence[object], out: NDArray[np.float64]) -> int:
    """Read whole numbers of at most 18 digits, int or float; None is NaN.

    Args:
        values: B of them.
        out: (B,) is written, up to the first wrong value.

    Returns:
        The position of the first value that is anything else, or -1.
    """
    return OPERATOR.select().implementation.read_integers(values, out)


def read_hex(values: Sequence[object], out: NDArray[np.uint64]) -> int:
    """Read text of 1 to 8 hexadecimal digits; None and empty text are 2**64 - 1.

    Args:
        values: B of them.
        out: (B,) is written, up to the first wrong value.

    Returns:
        The position of the first value that is anything else, or -1.
    """
    return OPERATOR.select().implementation.read_hex(values, out)


def read_texts(data: bytes, count: int) -> list[str] | None:
    """Read texts in UTF-8, each behind its length in 4 bytes, little-endian.

    Returns:
        ``count`` texts, or None if the data are not exactly these.
    """
    return OPERATOR.select().implementation.read_texts(data, count)


def read_json_reals(text: bytes, out: NDArray[np.float64]) -> bool:
    """Read a flat JSON array of as many numbers as ``out`` has places, (n,).

    Returns:
        False if the text is anything else or a number is beyond float64; ``out`` then holds anything.
    """
    return OPERATOR.select().implementation.read_json_reals(text, out)


def read_json_integers(text: bytes, out: NDArray[np.int64]) -> bool:
    """Read a flat JSON array of as many integers, without fraction or exponent, as ``out`` has places, (n,).

    Returns:
        False if the text is anything else or a number is beyond int64; ``out`` then holds anything.
    """
    return OPERATOR.select().implementation.read_json_integers(text, out)
