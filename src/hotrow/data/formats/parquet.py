"""Parquet: files of typed columns, read in row groups, a batch of rows at a time.

A schema file says what the columns are (``description``). null is missing, and so is NaN; rows are numbered
from 1 on, and of a row that is set aside the columns that were read are kept as a JSON object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hotrow.data.formats._arrow_columns import ArrowColumns, is_id, is_list, is_number, is_time
from hotrow.data.formats._described import DescribedLog
from hotrow.data.formats._faults import rejections_of
from hotrow.data.formats.base import Chunk, DescribedFormat, ParsedBlock, Sample
from hotrow.data.formats.description import Description
from hotrow.data.schema import Schema
from hotrow.errors import DataError, MissingFileError

MAGIC = b"PAR1"
"""How a file of this format begins."""

BATCH_ROWS = 1 << 14
_BUFFER_BYTES = 1 << 16  # of each column: without it whole columns of a row group are read at once
_ENCODER = msgspec.json.Encoder(enc_hook=str)

TypeTest = Callable[[Any], bool]


class Parquet(DescribedFormat):
    """The format of Parquet files."""

    name = "parquet"

    def described(self, description: Description) -> ParquetLog:
        """Return the format of files with the columns of a schema file."""
        return ParquetLog(description.schema, description)

    def sample(self, source: Path, rows: int) -> Sample:
        """Read the first rows of a file."""
        with _opened(source) as file:
            batches: list[Any] = []
            for batch in _batches(source, file, file.schema_arrow.names, min(rows, BATCH_ROWS)):
                batches.append(batch)
                if sum(each.num_rows for each in batches) >= rows:
                    break
            table = pa.Table.from_batches(batches, schema=file.schema_arrow).slice(0, rows)
            if not table.num_rows:
                raise DataError(source, "no rows in it, expected at least one")
            return Sample(
                columns={name: table.column(at).to_pylist() for at, name in enumerate(table.column_names)},
                typed=True,
                rows=table.num_rows,
                share=table.num_rows / file.metadata.num_rows,
                options={},
            )


class ParquetLog(DescribedLog):
    """Parquet files with known columns, to prepare or to rank.

    Args:
        schema, description: see ``DescribedLog``.
        batch_rows: how many rows are read and parsed at once.
    """

    def __init__(
        self, schema: Schema, description: Description | None, *, batch_rows: int = BATCH_ROWS
    ) -> None:
        super().__init__(schema, description)
        self.batch_rows = batch_rows

    def chunks(self, source: Path) -> Iterator[Chunk]:
        """Cut a file into batches of rows."""
        with _opened(source) as file:
            names = file.schema_arrow.names
            labelled = self.check_columns(source, names, None)
            self._check_types(source, file.schema_arrow)
            bytes_a_row = source.stat().st_size / max(file.metadata.num_rows, 1)
            read = [name for name in names if name in self._tests]
            done = 0
            for batch in _batches(source, file, read, self.batch_rows):
                before, done = done, done + batch.num_rows
                yield Chunk(batch, int(done * bytes_a_row) - int(before * bytes_a_row), labelled)

    def parse(self, chunk: Chunk) -> ParsedBlock:
        """Parse one batch."""
        batch = chunk.content
        reader = ArrowColumns(batch)
        block, order = self.read_rows(reader, labelled=chunk.labelled)
        faults = reader.faults
        if faults:
            kept = np.ones(batch.num_rows, dtype=np.bool_)
            kept[list(faults)] = False
            block, order = block.take(kept), None if order is None else order[kept]
        rejected = rejections_of(faults, [_row(batch, at) for at in sorted(faults)])
        return ParsedBlock(block, rejected, batch.num_rows, order=order)

    @cached_property
    def _tests(self) -> Mapping[str, tuple[TypeTest, str]]:
        """Of each column that is read whether it can have a type, and which it can have."""
        schema, description = self.schema, self.description
        number, id_ = (is_number, "numbers"), (is_id, "text or whole numbers")
        found: dict[str, tuple[TypeTest, str]] = {}
        if description is not None:
            found |= {name: id_ for name in (description.group, description.split_column) if name}
            if description.time is not None:
                kind = description.time.kind
                found[description.time.column] = number if kind == "number" else (is_time, "dates or times")
        found |= dict.fromkeys((*schema.labels, *(feature.name for feature in schema.dense)), number)
        found |= {feature.name: id_ for feature in schema.categorical}
        found |= {feature.name: (_is_list_of(is_id), f"lists of {id_[1]}") for feature in schema.lists}
        weights = (_is_list_of(is_number), "lists of numbers")
        return found | dict.fromkeys(self.layout.weights.values(), weights)

    def _check_types(self, source: Path, arrow_schema: Any) -> None:
        for field in arrow_schema:
            if field.name not in self._tests:
                continue
            test, expected = self._tests[field.name]
            if not test(field.type):
                raise DataError(source, f"found {field.type}, expected {expected}", column=field.name)


@contextmanager
def _opened(source: Path) -> Iterator[Any]:
    if source.is_dir():
        raise DataError(source, "is a folder, expected a file")
    try:
        file = pq.ParquetFile(source, buffer_size=_BUFFER_BYTES)
    except FileNotFoundError as error:
        raise MissingFileError(source, "a Parquet file") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(source, f"is no readable Parquet file ({_one_line(error)})") from error
    with file:
        yield file


def _batches(source: Path, file: Any, columns: list[str], rows: int) -> Iterator[Any]:
    batches = file.iter_batches(batch_size=rows, columns=columns)
    done = 0
    while True:
        try:
            batch = next(batches, None)
        except (OSError, pa.ArrowException) as error:
            raise DataError(source, f"cannot be read after row {done} ({_one_line(error)})") from error
        if batch is None:
            return
        done += batch.num_rows
        yield batch


def _row(batch: Any, at: int) -> bytes:
    """Return a row as it is kept where it was rejected."""
    cells = zip(batch.schema.names, batch.columns, strict=True)
    return _ENCODER.encode({name: column[at].as_py() for name, column in cells})


def _is_list_of(test: TypeTest) -> TypeTest:
    return lambda kind: is_list(kind) and (pa.types.is_null(kind) or test(kind.value_type))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
