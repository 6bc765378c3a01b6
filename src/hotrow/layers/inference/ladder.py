"""The numbers of rows that packed layers are computed with.

oneDNN compiles a kernel for each layer and number of rows: 0.3 to 0.7 ms and 0.6 MiB, kept for the 1024 used
last. Seven layers and 256 numbers of rows are more than that, so that nearly every call compiled anew: four
times as long, and 600 MiB. With rows of zeros up to the next step of a ladder there are few kernels, and
rows keep their bits whatever is beside them.
"""

from __future__ import annotations

from collections.abc import Iterator

_EXACT = 16
"""So many rows and fewer are taken as they are; above, there are eight steps up to each power of two."""


def step_above(rows: int) -> int:
    """Return the least step that is at least so many rows; at most an eighth more."""
    if rows <= _EXACT:
        return rows
    size = 1 << ((rows - 1).bit_length() - 4)
    return -(-rows // size) * size


def steps(most: int) -> Iterator[int]:
    """Yield the steps from 1 to at most so many rows."""
    rows = 1
    while rows <= most:
        yield rows
        rows = step_above(rows + 1)
