"""The first rows of a file of csv of which nothing is known yet."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hotrow.data._lines import block_lines, line_blocks
from hotrow.data.formats.base import Sample
from hotrow.data.formats.options import DELIMITERS
from hotrow.errors import DataError

_LOOKED_AT = 100  # lines that must have equally many cells
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def read_sample(source: Path, rows: int) -> Sample:
    """Read the first rows; lines with another number of cells than the first are left out.

    What stands between cells is what gives the first 100 lines equally many, and most. The first line is a
    header unless a cell of it is a number; then columns are called ``column1``, ``column2`` and so on.

    Raises:
        MissingFileError: there is no such file.
        DataError: it cannot be read, has no rows or a column twice.
    """
    lines, share = _first_lines(source, rows + 1)
    delimiter = _delimiter(lines[:_LOOKED_AT])
    table = [_cells(line, delimiter) for line in lines]
    has_header = not any(_NUMBER.fullmatch(cell) for cell in table[0]) and any(table[0])
    names = table[0] if has_header else [f"column{number + 1}" for number in range(len(table[0]))]
    for name in names:
        if names.count(name) > 1:
            raise DataError(source, "is there twice, expected each column once", line=1, column=name[:60])
    cells = [row for row in table[has_header:][:rows] if len(row) == len(names)]
    if not cells:
        raise DataError(source, "no rows in it, expected at least one")
    columns = zip(*cells, strict=True)
    options: dict[str, Any] = {} if delimiter == "," else {"delimiter": delimiter}
    return Sample(
        columns={
            name: [cell or None for cell in column] for name, column in zip(names, columns, strict=True)
        },
        typed=False,
        rows=len(cells),
        share=share,
        options=options if has_header else options | {"columns": names},
    )


def _first_lines(source: Path, count: int) -> tuple[list[str], float]:
    """Return the first lines, and which share of the file they are, about."""
    lines: list[bytes] = []
    consumed = 0
    for block in line_blocks(source):
        lines += block_lines(block.padded)
        consumed += block.consumed
        if len(lines) >= count:
            break
    read = consumed / max(source.stat().st_size, 1)
    kept = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines[:count]]
    return kept, min(read, 1.0) * len(kept) / len(lines)


def _delimiter(lines: Sequence[str]) -> str:
    found = {}
    for delimiter in DELIMITERS:
        widths = [len(_cells(line, delimiter)) for line in lines]
        found[delimiter] = (min(widths) == max(widths), widths[0])
    even = [delimiter for delimiter in DELIMITERS if found[delimiter][0] and found[delimiter][1] > 1]
    return max(even or DELIMITERS, key=lambda delimiter: found[delimiter][1])


def _cells(line: str, delimiter: str) -> list[str]:
    if '"' in line:
        try:
            return next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error:
            pass
    return line.split(delimiter)
