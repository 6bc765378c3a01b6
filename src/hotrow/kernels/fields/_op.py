"""The functions, on the best backend there is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.kernels.dispatch import Operator

Text = NDArray[np.uint8]
Positions = NDArray[np.int64]


class Implementation(Protocol):
    """What every backend has; the functions below say what they do."""

    def find_separators(self, text: Text) -> Positions:
        """See below."""

    def read_hex(
        self, text: Text, starts: Positions, ends: Positions
    ) -> tuple[NDArray[np.uint64], Positions]:
        """See below."""

    def read_integers(
        self, text: Text, starts: Positions, ends: Positions
    ) -> tuple[NDArray[np.float64], Positions]:
        """See below."""


def _load_reference() -> Implementation:
    from hotrow.kernels.fields import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.fields import cpu

    return cpu


OPERATOR: Operator[Implementation] = Operator("fields", {"reference": _load_reference, "cpu": _load_cpu})


def find_separators(text: Text) -> Positions:
    """Return the places of all TABs and newlines, in order."""
    return OPERATOR.select().implementation.find_separators(text)


def read_hex(text: Text, starts: Positions, ends: Positions) -> tuple[NDArray[np.uint64], Positions]:
    """Read fields of 1 to 8 hexadecimal digits, or nothing.

    Args:
        text: the block.
        starts: (R, F) of fields; the fields of a row side by side.
        ends: (R, F) likewise, one past their last bytes.

    Returns:
        (F, R) values, 2**64 - 1 where there is nothing; and (R,) the first field of each row that is anything
        else, or -1.
    """
    return OPERATOR.select().implementation.read_hex(text, starts, ends)


def read_integers(text: Text, starts: Positions, ends: Positions) -> tuple[NDArray[np.float64], Positions]:
    """Read fields of 1 to 18 decimal digits, after a minus sign or not, or nothing.

    Args:
        text: the block.
        starts: (R, F) of fields; the fields of a row side by side.
        ends: (R, F) likewise, one past their last bytes.

    Returns:
        (R, F) values, NaN where there is nothing; and (R,) the first field of each row that is anything else,
        or -1.
    """
    return OPERATOR.select().implementation.read_integers(text, starts, ends)
