"""Rows for any schema: JSON lines, or a table with a header, TABs or commas between its cells.

What a model trained on MovieLens or on sequences ranks. A row is a mapping of column names to raw values:

    {"user": 7, "item": 318, "gender": "F", "history": [1, 527, 2858]}

in a table, values of a list are joined by ``|``. An absent or empty value is missing. Labels may be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hotrow.data._lines import BLOCK_BYTES, LEFT_PAD, LineBlock, block_lines, line_blocks
from hotrow.data.formats._column_reader import Fault
from hotrow.data.formats._faults import rejected_lines
from hotrow.data.formats._row_columns import read_rows, require_rows
from hotrow.data.formats._row_lines import Table, parse_lines
from hotrow.data.formats.base import Chunk, ParsedBlock, RowReader
from hotrow.data.raw import RawBlock
from hotrow.data.schema import Schema
from hotrow.errors import DataError, SchemaMismatchError


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines to be parsed.

    Attributes:
        block: the lines.
        table: their columns; None for JSON objects.
        skipped: how many lines at the beginning are a header.
    """

    block: LineBlock
    table: Table | None
    skipped: int


class SchemaRows(RowReader):
    """Reads rows as a schema says.

    Args:
        schema: of the data set that the rows are like.
        block_bytes: how much text is read and parsed at once.

    Raises:
        SchemaMismatchError: the schema has weighted lists, which rows cannot carry.
    """

    def __init__(self, schema: Schema, *, block_bytes: int = BLOCK_BYTES) -> None:
        carried = schema.layout.weights if schema.layout else {}
        for feature in schema.lists:
            if feature.weighted and feature.name not in carried:
                raise SchemaMismatchError(
                    f"{feature.name}: the schema has weighted lists, expected lists without weights: "
                    "rows that are ranked cannot carry any"
                )
        self.name = schema.format
        self.schema = schema
        self.block_bytes = block_bytes

    def chunks(self, source: Path) -> Iterator[Chunk]:
        """Cut a file at line ends; its first line tells what it is and whether rows carry labels."""
        table: Table | None = None
        labelled, is_first = False, True
        for block in line_blocks(source, self.block_bytes):
            skipped = 0
            if is_first:
                first = block.padded[len(LEFT_PAD) : block.padded.index(b"\n", len(LEFT_PAD))].rstrip(b"\r")
                if not first.lstrip().startswith(b"{"):
                    table, skipped = Table.of(source, _header(source, first), self.schema), 1
                names = set(table.names) if table else _columns_of(first)
                labelled, is_first = names.issuperset(self.schema.labels), False
            yield Chunk(_Lines(block, table, skipped), block.consumed, labelled)

    def parse(self, chunk: Chunk) -> ParsedBlock:
        """Parse the lines of one chunk."""
        content: _Lines = chunk.content
        lines = block_lines(content.block.padded)
        parsed = parse_lines(lines[content.skipped :], content.table)
        if content.block.cut:
            parsed = [Fault("", "line_too_long", f"found a longer line than {self.block_bytes} bytes")]
        rows = [row if not isinstance(row, Fault) else {} for row in parsed]
        block, faults = read_rows(rows, self.schema, with_labels=chunk.labelled)
        faults |= {at: row for at, row in enumerate(parsed) if isinstance(row, Fault)}
        if faults:
            kept = np.ones(len(block), dtype=np.bool_)
            kept[list(faults)] = False
            block = block.take(kept)
        rejected = rejected_lines(lines, {at + content.skipped: fault for at, fault in faults.items()})
        return ParsedBlock(block, rejected, len(parsed), content.skipped)

    def block_from_rows(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        """Read rows such as ``{"user": 7, "history": [1, 527]}``."""
        return require_rows(rows, self.schema)


def _header(source: Path, line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise DataError(source, "found bytes that are no UTF-8, expected a header", line=1) from error


def _columns_of(line: bytes) -> set[str]:
    (row,) = parse_lines([line], None)
    return set() if isinstance(row, Fault) else set(row)
