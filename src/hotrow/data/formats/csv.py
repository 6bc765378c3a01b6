"""csv: lines of cells with something between them, under a header that names the columns.

A cell may be in quotes, ends on its line, and is missing if it is empty; the values of a list stand in one
cell. A schema file says what the columns are (``description``). Plain or gzipped.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hotrow.data._fields import FieldTable, find_fields
from hotrow.data._lines import BLOCK_BYTES, LineBlock, block_lines, line_blocks
from hotrow.data.formats._cell_columns import CellColumns
from hotrow.data.formats._column_reader import Fault
from hotrow.data.formats._csv_sample import read_sample
from hotrow.data.formats._described import DescribedLog
from hotrow.data.formats._faults import rejected_lines, rejections_of
from hotrow.data.formats._quoted import unquote
from hotrow.data.formats.base import Chunk, DescribedFormat, ParsedBlock, Sample
from hotrow.data.formats.description import Description
from hotrow.data.formats.options import DELIMITERS, Delimiter
from hotrow.data.schema import Schema
from hotrow.errors import DataError

_DELIMITER_NAMES = {"\t": "TAB", ",": "a comma", ";": "a semicolon", "|": "'|'"}
_TAB = b"\t"


class Csv(DescribedFormat):
    """The format of files of csv."""

    name = "csv"

    def described(self, description: Description) -> CsvLog:
        """Return the format of files with the columns of a schema file."""
        return CsvLog(description.schema, description, delimiter=description.csv.delimiter)

    def sample(self, source: Path, rows: int) -> Sample:
        """Read the first rows of a file."""
        return read_sample(source, rows)


@dataclass(frozen=True, slots=True)
class _Header:
    """What the first line tells: the columns, what stands between them, whether it names them, and labels."""

    names: tuple[str, ...]
    delimiter: str
    is_line: bool
    labelled: bool


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines to be parsed; ``skipped`` of the first ones are the header."""

    block: LineBlock
    header: _Header
    skipped: int


class CsvLog(DescribedLog):
    """Files of csv with known columns, to prepare or to rank.

    Args:
        schema, description: see ``DescribedLog``.
        delimiter: what stands between cells; ``auto``: that by which the first line has most known columns.
        block_bytes: how much text is read and parsed at once.
    """

    def __init__(
        self,
        schema: Schema,
        description: Description | None,
        *,
        delimiter: Delimiter = "auto",
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        super().__init__(schema, description)
        self.delimiter = delimiter
        self.block_bytes = block_bytes

    def chunks(self, source: Path) -> Iterator[Chunk]:
        """Cut a file at line ends; its header tells what the columns are."""
        header: _Header | None = None
        for block in line_blocks(source, self.block_bytes):
            skipped = 0
            if header is None:
                header = self._header(source, block)
                skipped = int(header.is_line)
            yield Chunk(_Lines(block, header, skipped), block.consumed, header.labelled)

    def parse(self, chunk: Chunk) -> ParsedBlock:
        """Parse the lines of one chunk."""
        content: _Lines = chunk.content
        header, skipped, padded = content.header, content.skipped, content.block.padded
        plain = unquote(padded, header.delimiter, quotes=self.layout.quotes)
        longest = 0 if content.block.cut else BLOCK_BYTES
        table = find_fields(np.frombuffer(plain.marked, dtype=np.uint8), len(header.names), longest)
        reader = CellColumns(plain.text, table, header.names, self.layout)
        block, order = self.read_rows(reader, labelled=chunk.labelled)
        faults = {int(table.lines[row]): fault for row, fault in reader.faults.items()}
        faults |= _odd_lines(plain.marked, table, header, longest)
        faults |= _no_text(padded) | plain.faults
        faults = {line: fault for line, fault in faults.items() if line >= skipped}
        is_row = np.ones(table.num_lines, dtype=np.bool_)
        is_row[[*range(skipped), *faults]] = False
        kept = is_row[table.lines]
        if not kept.all():
            block, order = block.take(kept), None if order is None else order[kept]
        rejected = rejected_lines(block_lines(padded), faults) if faults else rejections_of({}, [])
        return ParsedBlock(block, rejected, table.num_lines - skipped, skipped, order)

    def _header(self, source: Path, block: LineBlock) -> _Header:
        """Read the first line.

        Raises:
            DataError: it is no header, or the columns do not do.
        """
        first = block_lines(block.padded)[0].removesuffix(b"\r")
        if block.cut:
            raise DataError(source, f"found more than {self.block_bytes} bytes, expected a header", line=1)
        try:
            text = first.decode()
            delimiter, cells = self._cells(text)
        except UnicodeDecodeError as error:
            raise DataError(source, "found bytes that are no UTF-8, expected a header", line=1) from error
        except csv.Error as error:
            raise DataError(source, f"found {error}, expected a header", line=1) from error
        for feature, separator in self.layout.separators.items():
            if separator == delimiter and not self.layout.quotes:
                found = f"{_DELIMITER_NAMES[delimiter]} stands between cells"
                reason = f"{found}, expected another separator of its values than {separator!r}"
                raise DataError(source, reason, line=1, column=feature)
        is_line = not self.layout.columns or self.known.issuperset(cells)
        names = tuple(cells) if is_line else self.layout.columns
        labelled = self.check_columns(source, names, 1 if is_line else None)
        return _Header(names, delimiter, is_line, labelled)

    def _cells(self, text: str) -> tuple[str, list[str]]:
        """Return what stands between the cells of the first line, and the cells."""
        candidates = DELIMITERS if self.delimiter == "auto" else (self.delimiter,)
        split = {delimiter: self._split(text, delimiter) for delimiter in candidates}
        best = max(candidates, key=lambda delimiter: self._fit(split[delimiter]))
        return best, split[best]

    def _split(self, text: str, delimiter: str) -> list[str]:
        if not self.layout.quotes or '"' not in text:
            return text.split(delimiter)
        return next(csv.reader([text], delimiter=delimiter))

    def _fit(self, cells: Sequence[str]) -> tuple[int, int]:
        """Tell how well a first line's cells fit the columns."""
        is_row = len(cells) == len(self.layout.columns)
        return max(sum(cell in self.known for cell in cells), int(is_row)), len(cells)


def _odd_lines(marked: bytes, table: FieldTable, header: _Header, longest: int) -> dict[int, Fault]:
    """Return what is wrong with lines of another number of cells, or that are too long."""
    faults = {}
    odd = zip(table.odd_lines.tolist(), table.odd_starts.tolist(), table.odd_ends.tolist(), strict=True)
    for line, start, end in odd:
        if end - start >= longest:
            detail = f"found a longer one, expected a line of at most {longest or BLOCK_BYTES} bytes"
            faults[line] = Fault("", "line_too_long", detail)
            continue
        count = marked.count(_TAB, start, end) + 1
        is_empty = not marked[start:end].strip(b"\r")
        found = "an empty line" if is_empty else f"{count} column{'s' if count > 1 else ''}"
        between = _DELIMITER_NAMES[header.delimiter]
        detail = f"found {found}, expected {len(header.names)} columns separated by {between}"
        faults[line] = Fault("", "column_count", detail)
    return faults


def _no_text(padded: bytes) -> dict[int, Fault]:
    """Return which lines are no UTF-8."""
    try:
        padded.decode()
    except UnicodeDecodeError:
        faults = {}
        for at, line in enumerate(block_lines(padded)):
            try:
                line.decode()
            except UnicodeDecodeError:
                faults[at] = Fault("", "utf8", "found bytes that are no UTF-8, expected UTF-8")
        return faults
    return {}
