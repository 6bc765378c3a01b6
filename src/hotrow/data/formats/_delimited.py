"""Reading a delimited text file whole, a column at a time; malformed lines are set aside, not lost.

Shape letters: R accepted lines, C columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.data._fields import FieldTable, find_fields
from hotrow.data._lines import BLOCK_BYTES, LEFT_PAD, MAX_LINE_BYTES, RIGHT_PAD, LineBlock, line_blocks
from hotrow.data.formats._cells import CellKind, Cells, expected_of, read_cells
from hotrow.data.manifest import SourceInfo
from hotrow.data.rejections import Reason, Rejection, Rejections
from hotrow.errors import DataError

Separator = Literal["\t", ",", "|", "::", " "]
_NAMES = {"\t": "TAB", ",": "a comma", "|": "'|'", "::": "'::'", " ": "a space"}


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a file.

    Attributes:
        name: for messages, and in what is returned.
        kind: how a cell is read; ``skip`` takes anything and returns nothing.
        optional: whether it may be empty: NaN, ``MISSING_KEY`` or an empty string. A whole number may not.
    """

    name: str
    kind: CellKind
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """What the lines of a file look like.

    Attributes:
        fields: the C columns, in order.
        separator: what stands between them.
        header: whether the first line names the columns.
        latin1: whether text is Latin-1 (ISO 8859-1) and not UTF-8.
    """

    fields: tuple[Field, ...]
    separator: Separator = "\t"
    header: bool = False
    latin1: bool = False


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
        text = _as_tabs(block, layout)
        max_line_bytes = 0 if block.cut else MAX_LINE_BYTES
        table = find_fields(np.frombuffer(text, dtype=np.uint8), len(layout.fields), max_line_bytes)
        skipped = 1 if layout.header and before == 0 else 0
        found, faults = _read_rows(text, table, layout.fields)
        kept = (faults < 0) & (table.lines >= skipped)
        parts.append([None if column is None else column[kept] for column in found])
        lines.append(table.lines[kept] + (before + 1))
        faulty = _rejections(text, table, faults, layout, skipped, max_line_bytes)
        if len(faulty):
            rejected.append(faulty.shifted(before))
        before += table.num_lines
    names = [field.name for field in layout.fields]
    joined = {
        name: np.concatenate(pieces)
        for name, pieces in zip(names, zip(*parts, strict=True), strict=True)
        if pieces[0] is not None
    }
    columns = Columns(path, np.concatenate(lines), joined, tuple(rejected))
    _require_rows(columns)
    return columns


def _as_tabs(block: LineBlock, layout: Layout) -> bytes:
    """Return the block in UTF-8 with TAB between columns."""
    text = block.padded
    if layout.latin1:
        text = text.decode("latin-1").encode()
    if layout.separator == "::":
        return text.replace(b"::", b"\t")
    return text.translate(_swapping_tab_with(layout.separator))


def _swapping_tab_with(separator: str) -> bytes:
    return bytes.maketrans(f"\t{separator}".encode(), f"{separator}\t".encode())


def _with_separator(line: bytes, separator: str) -> bytes:
    """Undo ``_as_tabs`` for a line that is shown."""
    if separator == "::":
        return line.replace(b"\t", b"::")
    return line.translate(_swapping_tab_with(separator))


def _read_rows(
    text: bytes, table: FieldTable, fields: Sequence[Field]
) -> tuple[list[NDArray[Any] | None], NDArray[np.int64]]:
    """Return the values of each column (None of a skipped one), and each row's first faulty column or -1."""
    found: list[NDArray[Any] | None] = []
    faults = np.full(len(table.lines), -1, dtype=np.int64)
    cells = Cells.of(text)
    for at, field in enumerate(fields):
        if field.kind == "skip":
            found.append(None)
            continue
        starts, ends = table.starts[:, at].copy(), table.ends[:, at].copy()
        values, malformed = read_cells(cells, starts, ends, field.kind)
        if not field.optional:
            malformed |= starts == ends
        faults[malformed & (faults < 0)] = at
        found.append(values)
    return found, faults


def _rejections(
    text: bytes,
    table: FieldTable,
    faults: NDArray[np.int64],
    layout: Layout,
    skipped: int,
    max_line_bytes: int,
) -> Rejections:
    """Gather the lines at fault, in line order, as they stand in the file."""
    bad = np.flatnonzero(faults >= 0)
    too_long = table.odd_ends - table.odd_starts >= max_line_bytes
    lines = np.concatenate((table.lines[bad], table.odd_lines))
    order = np.argsort(lines, kind="stable")
    order = order[lines[order] >= skipped]
    reasons = np.concatenate((faults[bad], len(layout.fields) + too_long))[order]
    starts = np.concatenate((table.starts[bad, 0], table.odd_starts))[order]
    ends = np.concatenate((table.ends[bad, -1], table.odd_ends))[order]
    shown = [
        _with_separator(text[start:end], layout.separator)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    new_ends = np.cumsum([len(line) for line in shown], dtype=np.int64)
    return Rejections(
        lines[order] + 1,
        reasons.astype(np.uint8),
        np.concatenate((np.zeros(1, dtype=np.int64), new_ends))[:-1],
        new_ends,
        b"".join(shown),
        _kinds(layout),
        layout.separator.encode(),
    )


def _kinds(layout: Layout) -> tuple[Reason, ...]:
    """Return what can be wrong with a line: each column's fault, then the whole line's."""
    kinds = [
        Reason(field.kind, expected_of(field.kind, optional=field.optional), field.name, at)
        for at, field in enumerate(layout.fields)
    ]
    columns = f"{len(kinds)} columns separated by {_NAMES[layout.separator]}"
    return (
        *kinds,
        Reason("column_count", columns),
        Reason("line_too_long", f"a line of at most {MAX_LINE_BYTES} bytes"),
    )


def _require_rows(columns: Columns) -> None:
    if len(columns):
        return
    if not columns.rejected:
        raise DataError(columns.path, "no rows in it, expected at least one")
    first = next(iter(columns.rejected[0]))
    reason = f"all {columns.source_info().rejected} rows were rejected; first: {first.detail}"
    raise DataError(columns.path, reason, line=first.line, column=first.column or None)


assert len(RIGHT_PAD) >= 8  # a word can be loaded at the last cell's first byte
