"""Finding the fields of TAB-separated lines in a block of bytes, all at once.

Shape letters: R well-formed rows, C columns, X malformed rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotrow.data._lines import LEFT_PAD, RIGHT_PAD
from hotrow.kernels.fields import find_separators

_NEWLINE, _RETURN = 10, 13
Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FieldTable:
    """Where fields begin and end in a padded block of lines.

    Attributes:
        starts: (R, C) first byte of each field of the lines with exactly C columns.
        ends: (R, C) one past its last byte; a carriage return before the newline is no part of it.
        lines: (R,) 0-based number of each such line in the block.
        odd_lines: (X,) numbers of the other lines, which have another number of columns or are too long.
        odd_starts: (X,) their first bytes.
        odd_ends: (X,) one past their last bytes, newline excluded.
        num_lines: all lines of the block, R + X.
    """

    starts: Positions
    ends: Positions
    lines: Positions
    odd_lines: Positions
    odd_starts: Positions
    odd_ends: Positions
    num_lines: int


def find_fields(padded: NDArray[np.uint8], columns: int, max_line_bytes: int) -> FieldTable:
    """Locate the fields of every line.

    Args:
        padded: bytes of a ``LineBlock``.
        columns: C, how many fields a line must have.
        max_line_bytes: lines of so many bytes or more are odd ones whatever their columns.
    """
    separators = find_separators(padded)
    starts = np.empty_like(separators)
    starts[:1] = len(LEFT_PAD)
    np.add(separators[:-1], 1, out=starts[1:])
    nothing = np.empty(0, dtype=np.int64)
    if _is_regular(padded, separators, columns, max_line_bytes):
        shape = (-1, columns)
        rows = len(separators) // columns
        table = FieldTable(
            starts.reshape(shape), separators.reshape(shape), np.arange(rows), nothing, nothing, nothing, rows
        )
    else:
        table = _find_irregular(padded, starts, separators, columns, max_line_bytes)
    last = table.ends[:, -1]
    last -= padded[last - 1] == _RETURN
    return table


def _is_regular(padded: NDArray[np.uint8], separators: Positions, columns: int, max_line_bytes: int) -> bool:
    """Whether every line has exactly ``columns`` fields and none is too long."""
    if len(separators) % columns:
        return False
    row_ends = separators[columns - 1 :: columns]
    newlines = np.count_nonzero(padded == _NEWLINE)
    if newlines != len(row_ends) or not (padded[row_ends] == _NEWLINE).all():
        return False
    return bool(np.diff(row_ends, prepend=len(LEFT_PAD) - 1).max(initial=0) <= max_line_bytes)


def _find_irregular(
    padded: NDArray[np.uint8],
    starts: Positions,
    separators: Positions,
    columns: int,
    max_line_bytes: int,
) -> FieldTable:
    row_ends = np.flatnonzero(padded[separators] == _NEWLINE)
    widths = np.diff(row_ends, prepend=-1)
    line_starts = starts[row_ends - widths + 1]
    line_ends = separators[row_ends]
    good = (widths == columns) & (line_ends - line_starts < max_line_bytes)
    chosen = np.repeat(good, widths)
    odd = np.flatnonzero(~good)
    return FieldTable(
        starts[chosen].reshape(-1, columns),
        separators[chosen].reshape(-1, columns),
        np.flatnonzero(good),
        odd,
        line_starts[odd],
        line_ends[odd],
        len(row_ends),
    )


assert len(LEFT_PAD) >= 24  # the three words before the end of the first field are read
assert len(RIGHT_PAD) >= 7
