"""A recorded load: one query a line, its size or its arrival and its size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import DataError, MissingFileError

_MOST = 2.0**53
"""Of sizes, and of arrivals either side of 0: beyond, float64 does not tell whole numbers apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """The queries of a trace file.

    Attributes:
        path: the file.
        sizes: (n,) int64, candidates of each query, at least 1.
        arrivals_s: (n,) float64, seconds since the first one, ascending; None if the file has sizes alone.
    """

    path: Path
    sizes: NDArray[np.int64]
    arrivals_s: NDArray[np.float64] | None = None

    @property
    def largest(self) -> float:
        """No size is larger."""
        return float(self.sizes.max())

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[Any]:
        """Return the first ``count`` sizes in the file's order; after its end, from its beginning again."""
        return np.resize(self.sizes, count)


def read_trace(path: Path) -> Trace:
    """Read a trace: on every line ``SIZE``, or on every line ``ARRIVAL,SIZE`` with arrivals in seconds.

    Empty lines and lines that begin with ``#`` are left out.

    Raises:
        MissingFileError: there is no such file.
        DataError: names the first line that is not of that kind.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise MissingFileError(path, "a trace: SIZE or ARRIVAL,SIZE on every line") from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise DataError(path, "not text, expected SIZE or ARRIVAL,SIZE on every line") from error
    numbered = [
        (number, line)
        for number, line in enumerate(map(str.strip, lines), start=1)
        if line and not line.startswith("#")
    ]
    if not numbered:
        raise DataError(path, "no queries, expected SIZE or ARRIVAL,SIZE on every line")
    width = numbered[0][1].count(",") + 1
    rows = [_row(path, number, line, width) for number, line in numbered]
    sizes = np.array([int(row[-1]) for row in rows], dtype=np.int64)
    if width == 1:
        return Trace(path=path, sizes=sizes)
    arrivals = np.array([row[0] for row in rows], dtype=np.float64)
    back = np.flatnonzero(np.diff(arrivals) < 0)
    if back.size:
        line_number = numbered[back[0] + 1][0]
        raise DataError(path, "arrives before the line above, expected ascending arrivals", line=line_number)
    return Trace(path=path, sizes=sizes, arrivals_s=arrivals - arrivals[0])


def _row(path: Path, number: int, line: str, width: int) -> list[float]:
    expected = (
        "a size of at least 1" if width == 1 else "an arrival in seconds, a comma and a size of at least 1"
    )
    try:
        values = [float(part) for part in line.split(",")]
    except ValueError:
        values = []
    is_good = len(values) == width <= 2 and bool(np.isfinite(values).all())
    if not is_good or values[-1] < 1 or not values[-1].is_integer():
        raise DataError(path, f"found {line[:40]!r}, expected {expected}", line=number)
    for column, value in zip(("ARRIVAL", "SIZE")[-width:], values, strict=True):
        if abs(value) > _MOST:
            reason = f"found {value:g}, expected at most 2^53 either side of 0"
            raise DataError(path, reason, line=number, column=column)
    return values
