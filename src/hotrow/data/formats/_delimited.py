"""Reading blocks of delimited lines, a column at a time; malformed lines are set aside, not lost.

Shape letters: R accepted lines, C columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.data._fields import FieldTable, find_fields
from hotrow.data._lines import MAX_LINE_BYTES, RIGHT_PAD, LineBlock
from hotrow.data.formats._cells import CellKind, Cells, expected_of, read_cells
from hotrow.data.rejections import Reason, Rejections

Separator = Literal["\t", ",", "|", "::"]
_NAMES = {"\t": "TAB", ",": "a comma", "|": "'|'", "::": "'::'"}


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a file.

    Attributes:
        name: for messages, and in what is returned.
        kind: how a cell is read; ``skip`` takes anything and returns nothing.
        optional: whether it may be empty: NaN, ``MISSING_KEY`` or an empty string. A whole number may not.
        check: tells of its values, (R,), which are allowed, or None if all are.
        expected: what ``check`` allows, a phrase for messages.
    """

    name: str
    kind: CellKind
    optional: bool = False
    check: Callable[[NDArray[Any]], NDArray[np.bool_]] | None = None
    expected: str = ""


def label_field(name: str) -> Field:
    """Return a column of labels, 0 or 1."""
    return Field(name, "integer", check=lambda values: (values == 0) | (values == 1), expected="0 or 1")


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
class ParsedColumns:
    """The lines of one block.

    Attributes:
        lines: (R,) 0-based numbers of the accepted lines.
        values: (R,) for each column that is not skipped, by name: int64 (``integer``), float64 (``number``),
            uint64 keys (``text``), objects of type str (``string``).
        rejected: the other lines; their numbers are 1-based.
        num_lines: all lines, skipped ones included.
    """

    lines: NDArray[np.int64]
    values: dict[str, NDArray[Any]]
    rejected: Rejections
    num_lines: int


def parse_block(block: LineBlock, layout: Layout, *, skipped: int = 0) -> ParsedColumns:
    """Read the columns of a block of lines.

    Args:
        block: whole lines.
        layout: what they look like.
        skipped: how many of the first lines are a header.
    """
    text = _as_tabs(block, layout)
    max_line_bytes = 0 if block.cut else MAX_LINE_BYTES
    table = find_fields(np.frombuffer(text, dtype=np.uint8), len(layout.fields), max_line_bytes)
    found, faults = _read_rows(text, table, layout.fields)
    kept = (faults < 0) & (table.lines >= skipped)
    values = {name: column[kept] for name, column in found.items()}
    rejected = _rejections(text, table, faults, layout, skipped, max_line_bytes)
    return ParsedColumns(table.lines[kept], values, rejected, table.num_lines)


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
) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Return the values of each column that is not skipped, and each row's first faulty column or -1."""
    found = {}
    faults = np.full(len(table.lines), -1, dtype=np.int64)
    cells = Cells.of(text)
    for at, field in enumerate(fields):
        if field.kind == "skip":
            continue
        starts, ends = table.starts[:, at].copy(), table.ends[:, at].copy()
        values, malformed = read_cells(cells, starts, ends, field.kind)
        if not field.optional:
            malformed |= starts == ends
        if field.check is not None:
            malformed |= ~field.check(values)
        faults[malformed & (faults < 0)] = at
        found[field.name] = values
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
        Reason(field.kind, field.expected or expected_of(field.kind, optional=field.optional), field.name, at)
        for at, field in enumerate(layout.fields)
    ]
    columns = f"{len(kinds)} columns separated by {_NAMES[layout.separator]}"
    return (
        *kinds,
        Reason("column_count", columns),
        Reason("line_too_long", f"a line of at most {MAX_LINE_BYTES} bytes"),
    )


assert len(RIGHT_PAD) >= 8  # a word can be loaded at the last cell's first byte
