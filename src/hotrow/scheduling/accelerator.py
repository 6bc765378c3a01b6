"""A modelled accelerator: a table of latencies that stands in for one that is not there.

A table is measured elsewhere or made up for a study. Everything that is computed with it is labelled
"modelled": no such figure was measured on an accelerator here.
"""

from __future__ import annotations

import csv
import io
import json
import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

from hotrow.errors import DataError, MissingFileError
from hotrow.scheduling.isotonic import non_decreasing


@dataclass(frozen=True)
class LatencyTable:
    """Latency of a whole query on the accelerator, by its rows; between points a straight line.

    Attributes:
        rows: (P,) rising, at least 1.
        ms: (P,) above 0, never falling.
        source: where the table comes from, for the label.
        moved: points that were moved so that more rows never take less time.
    """

    rows: tuple[int, ...]
    ms: tuple[float, ...]
    source: str
    moved: int = 0

    @property
    def largest(self) -> int:
        """Rows of the last point; nothing is known beyond it."""
        return self.rows[-1]

    @property
    def label(self) -> str:
        """What stands beside every figure that comes of the table."""
        moved = f", {self.moved} of them moved to rise" if self.moved else ""
        points = f"{len(self.rows)} points from {self.rows[0]} to {self.largest} rows{moved}"
        return f"modelled accelerator ({self.source}: {points})"

    def __call__(self, rows: int) -> float:
        """Return the modelled milliseconds of a query; fewer rows than the first point take as long as it.

        Raises:
            ValueError: more rows than the last point has: an accelerator's time beyond what was measured
                (its memory, its launch sizes) is not guessed.
        """
        if rows > self.largest:
            raise ValueError(f"{rows} rows are beyond the {self.label}")
        after = bisect_left(self.rows, rows)
        if after == 0:
            return self.ms[0]
        left, right = self.rows[after - 1], self.rows[after]
        share = (rows - left) / (right - left)
        return self.ms[after - 1] * (1 - share) + self.ms[after] * share

    def require(self, largest: int) -> None:
        """Refuse the table if queries may have more rows than it knows.

        Raises:
            DataError: names the source and what is missing.
        """
        if largest > self.largest:
            raise DataError(
                self.source, f"ends at {self.largest} rows, expected a point for queries of {largest} rows"
            )


def read_latency_table(path: Path) -> LatencyTable:
    """Read a table from a CSV file (header ``rows,ms``) or JSON (``{"rows": [...], "ms": [...]}``).

    Points need not be in order. Measured times that fall where rows rise are moved as little as makes them
    rise (isotonic regression), and the label says how many were.

    Raises:
        MissingFileError: there is no such file.
        DataError: names file, line or field, what was found and what was expected.
    """
    if not path.is_file():
        raise MissingFileError(path, "a table of latencies in CSV (header rows,ms) or JSON")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(path, f"is not UTF-8 ({error.reason} at byte {error.start})") from error
    points = _from_json(path, text) if path.suffix.lower() == ".json" else _from_csv(path, text)
    if not points:
        raise DataError(path, "holds no points, expected at least one")
    points.sort()
    for (left, _), (right, _) in pairwise(points):
        if left == right:
            raise DataError(path, f"has two points at {left} rows, expected one")
    given = [ms for _, ms in points]
    rising = non_decreasing(given)
    moved = sum(before != after for before, after in zip(given, rising, strict=True))
    return LatencyTable(tuple(rows for rows, _ in points), tuple(rising), path.name, moved)


def _from_json(path: Path, text: str) -> list[tuple[int, float]]:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"is not JSON ({error})") from error
    if not isinstance(document, dict) or {"rows", "ms"} - document.keys():
        raise DataError(path, 'expected an object with the fields "rows" and "ms"')
    rows, ms = document["rows"], document["ms"]
    if not isinstance(rows, list) or not isinstance(ms, list) or len(rows) != len(ms):
        raise DataError(path, 'expected "rows" and "ms" to be arrays of the same length')
    return [
        (_rows(path, row, f'"rows"[{number}]', None), _ms(path, time, f'"ms"[{number}]', None))
        for number, (row, time) in enumerate(zip(rows, ms, strict=True))
    ]


def _from_csv(path: Path, text: str) -> list[tuple[int, float]]:
    reader = csv.reader(io.StringIO(text))
    header = [name.strip() for name in next(reader, [])]
    if header != ["rows", "ms"]:
        raise DataError(path, f"header is {','.join(header)!r}, expected rows,ms", line=1)
    points = []
    for cells in reader:
        line = reader.line_num
        if not cells:
            continue
        if len(cells) != 2:
            raise DataError(path, f"has {len(cells)} columns, expected 2", line=line)
        points.append(
            (_rows(path, _number(cells[0]), "rows", line), _ms(path, _number(cells[1]), "ms", line))
        )
    return points


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _rows(path: Path, value: object, field: str, line: int | None) -> int:
    if _is_number(value) and value == int(value) and 1 <= value < 2**31:
        return int(value)
    raise DataError(
        path, f"got {value!r}, expected a whole number of rows, at least 1", line=line, column=field
    )


def _ms(path: Path, value: object, field: str, line: int | None) -> float:
    if _is_number(value) and value > 0:
        return float(value)
    raise DataError(path, f"got {value!r}, expected milliseconds above 0", line=line, column=field)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
