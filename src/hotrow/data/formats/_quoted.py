"""Lines of csv to lines with a TAB between cells, whatever stood between them, and without quotes.

A cell in quotes ends on its line. A block without a quote is translated as a whole; of another one the lines
with quotes are read by Python's csv module, one by one, so that a line at fault leaves its neighbours alone.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

from hotrow.data._lines import LEFT_PAD, RIGHT_PAD, block_lines
from hotrow.data.formats._column_reader import Fault


@dataclass(frozen=True, slots=True)
class Unquoted:
    """A padded block of lines.

    Attributes:
        marked: has a TAB between cells, and nowhere else.
        text: as long, its cells as they are meant, TABs in them included.
        faults: of lines that cannot be read, by 0-based line; they are empty.
    """

    marked: bytes
    text: bytes
    faults: dict[int, Fault]


def unquote(padded: bytes, delimiter: str, *, quotes: bool) -> Unquoted:
    """Find the cells of a block.

    Args:
        padded: of a ``LineBlock``.
        delimiter: one ASCII character that stands between cells.
        quotes: whether cells may be in quotes, a quote in them doubled.
    """
    marked = padded.translate(bytes.maketrans(f"\t{delimiter}".encode(), f"{delimiter}\t".encode()))
    if not quotes or b'"' not in padded:
        return Unquoted(marked, padded, {})
    lines, marked_lines = block_lines(padded), block_lines(marked)
    faults = {}
    for at, line in enumerate(lines):
        if b'"' not in line:
            continue
        text = line.removesuffix(b"\r").decode("latin-1")  # a letter for each byte
        try:
            cells = next(csv.reader([text], delimiter=delimiter, strict=True))
        except csv.Error as error:
            expected = "cells in quotes to end on the same line, and nothing behind them"
            faults[at] = Fault("", "quotes", f"found {error}, expected {expected}")
            lines[at] = marked_lines[at] = b""
        else:
            lines[at] = _joined(cells)
            is_plain = lines[at].count(b"\t") == len(cells) - 1
            marked_lines[at] = lines[at] if is_plain else _joined([cell.replace("\t", " ") for cell in cells])
    return Unquoted(_padded(marked_lines), _padded(lines), faults)


def _joined(cells: list[str]) -> bytes:
    """Return a line; the carriage return at its end is no part of the last cell, which may have one too."""
    return ("\t".join(cells) + "\r").encode("latin-1")


def _padded(lines: list[bytes]) -> bytes:
    return b"".join((LEFT_PAD, b"\n".join(lines), b"\n", RIGHT_PAD))
