"""Raw rows to rank of a model that was trained on a table with a schema file: csv, Parquet or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hotrow.data._lines import LEFT_PAD, MAX_LINE_BYTES, line_blocks
from hotrow.data.formats.base import Chunk, ParsedBlock, RowReader
from hotrow.data.formats.csv import CsvLog
from hotrow.data.formats.description import FORMAT
from hotrow.data.formats.parquet import MAGIC, ParquetLog
from hotrow.data.formats.rows import SchemaRows
from hotrow.data.raw import RawBlock
from hotrow.data.schema import Schema


class DescribedRows(RowReader):
    """Reads rows like those of a data set, whatever they are written as.

    Of csv and Parquet any column may be absent, which is missing; labels and ignored columns may be there.

    Args:
        schema: of the data set.
    """

    name = FORMAT

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._objects = SchemaRows(schema)
        self._csv = CsvLog(schema, None)
        self._parquet = ParquetLog(schema, None)

    def chunks(self, source: Path) -> Iterator[Chunk]:
        """Cut a file by what its first bytes say that it is."""
        reader = self._reader(source)
        for chunk in reader.chunks(source):
            yield replace(chunk, content=(reader, chunk))

    def parse(self, chunk: Chunk) -> ParsedBlock:
        """Parse one chunk."""
        reader, own = chunk.content
        parsed: ParsedBlock = reader.parse(own)
        return parsed

    def block_from_rows(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        """Read rows such as ``{"user": 7, "tags": ["red", "new"]}``."""
        return self._objects.block_from_rows(rows)

    def _reader(self, source: Path) -> RowReader:
        first = next(line_blocks(source, MAX_LINE_BYTES)).padded[len(LEFT_PAD) :]
        if first.startswith(MAGIC):
            return self._parquet
        return self._objects if first.lstrip().startswith(b"{") else self._csv
