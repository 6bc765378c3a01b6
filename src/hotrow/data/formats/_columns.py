"""Reading a delimited text file whole, a column at a time; malformed lines are set aside, not lost.

Shape letters: R accepted lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._lines import BLOCK_BYTES, LEFT_PAD, MAX_LINE_BYTES, line_blocks
from hotrow.data.formats._delimited import Layout, parse_block
from hotrow.data.manifest import SourceInfo
from hotrow.data.rejections import Rejection, Rejections, none_accepted
from hotrow.errors import DataError


@dataclass(frozen=True, slots=True)
class Columns:
    """The accepted lines of one file.

    Attributes:
        path: the file.
        lines: (R,) 1-based lines.
        values: (R,) for each column that is not skipped, by name: int64 (``integer``), float64 (``number``),
            uint64 keys (``text``), objects of type str (``string``).
        rejected: the other lines, a piece for each block of the file that has some.
    """

    path: Path
    lines: NDArray[np.int64]
    values: dict[str, NDArray[Any]]
    rejected: tuple[Rejections, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.values[name]

    def source_info(self) -> SourceInfo:
        """Return how many lines were accepted and how many not."""
        return SourceInfo(file=str(self.path), rows=len(self), rejected=sum(map(len, self.rejected)))

    def rejections(self) -> list[Rejection]:
        """Return the lines that were not accepted, in order."""
        return [row for piece in self.rejected for row in piece]


def first_cells(path: Path, separator: str) -> list[str]:
    """Return the cells of a file's first line, to see what the file is.

    Raises:
        MissingFileError: there is no such file.
        DataError: it cannot be read or is empty.
    """
    block = next(line_blocks(path, MAX_LINE_BYTES))
    line = block.padded[len(LEFT_PAD) : block.padded.index(b"\n", len(LEFT_PAD))]
    return line.removesuffix(b"\r").decode("utf-8", "replace").split(separator)


def read_columns(path: Path, layout: Layout) -> Columns:
    """Read a file, plain or gzipped.

    Raises:
        MissingFileError: there is no such file.
        DataError: it cannot be read, or none of its lines can be used.
    """
    before = 0
    lines, parts, rejected = [], [], []
    for block in line_blocks(path, BLOCK_BYTES):
        parsed = parse_block(block, layout, skipped=int(layout.header and before == 0))
        parts.append(parsed.values)
        lines.append(parsed.lines + (before + 1))
        if len(parsed.rejected):
            rejected.append(parsed.rejected.shifted(before))
        before += parsed.num_lines
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns = Columns(path, np.concatenate(lines), values, tuple(rejected))
    _require_rows(columns)
    return columns


def _require_rows(columns: Columns) -> None:
    if len(columns):
        return
    if not columns.rejected:
        raise DataError(columns.path, "no rows in it, expected at least one")
    raise none_accepted(columns.path, columns.source_info().rejected, next(iter(columns.rejected[0])))
