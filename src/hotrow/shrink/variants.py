"""The tables of a model in other formats, made when first asked for and kept in files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from hotrow.artifact import Artifact, replace_tables
from hotrow.embedding import EmbeddingTables, TableConfig
from hotrow.errors import ArtifactError
from hotrow.kernels.quantize_rows import Search, quantize_rows_into
from hotrow.kernels.row_formats import QuantizedFormat, RowFormat, row_bytes, storage_shape
from hotrow.progress import Progress
from hotrow.shrink.moves import TableSizes

SLICE_ROWS = 1 << 18
"""Rows quantised between two steps of the progress bar."""

_FORMATS: tuple[QuantizedFormat, ...] = ("int8", "int4", "int2")


class Variants:
    """A model's tables, each in the format it has and in quantised ones.

    Quantised tables live in memory-mapped files, so that tables larger than memory can be shrunk.

    Args:
        artifact: the model as it is; its tables hold numbers, none is quantised.
        scratch: an empty folder for the files; keep it while what was made is in use.
        bar: told of the rows that were quantised.
    """

    def __init__(self, artifact: Artifact, scratch: Path, bar: Progress) -> None:
        embeddings = artifact.model.embeddings
        assert isinstance(embeddings, EmbeddingTables)
        self._artifact = artifact
        self._tables = {table.name: table for table in artifact.config.tables}
        self._weights: dict[tuple[str, RowFormat], Tensor] = {
            (table.name, table.format): embeddings.table_weight(table.name) for table in embeddings.tables
        }
        self._scratch = scratch
        self._bar = bar

    def sizes(self) -> list[TableSizes]:
        """Return the tables' sizes in the formats that make them smaller and can hold their rows."""
        return [sizes_of(table, self._holding(table)) for table in self._tables.values()]

    def uniform(self, row_format: RowFormat) -> dict[str, RowFormat]:
        """Return one format for all tables but those that it would not make smaller."""
        return {
            name: row_format
            if row_bytes(row_format, table.width) < row_bytes(table.format, table.width)
            else table.format
            for name, table in self._tables.items()
        }

    def artifact(self, formats: Mapping[str, RowFormat]) -> Artifact:
        """Return the model with its tables in these formats.

        Raises:
            ArtifactError: a row cannot be quantised; names table and row.
        """
        for name, row_format in formats.items():
            if (name, row_format) not in self._weights:
                self._weights[name, row_format] = self._quantise(name, row_format)
        return replace_tables(
            self._artifact, formats, {name: self._weights[name, form] for name, form in formats.items()}
        )

    def _holding(self, table: TableConfig) -> tuple[QuantizedFormat, ...]:
        """Return the formats for a table's numbers: 4 and 2 bits keep scale and bias in float16."""
        rows = self._weights[table.name, table.format]
        parts = rows.split(SLICE_ROWS)  # type: ignore[no-untyped-call]
        largest = max(float(part.abs().max()) for part in parts)
        return _FORMATS if largest <= torch.finfo(torch.float16).max else ("int8",)

    def _quantise(self, name: str, row_format: RowFormat) -> Tensor:
        assert row_format in _FORMATS
        table = self._tables[name]
        shape = storage_shape(row_format, table.rows, table.width)
        path = self._scratch / str(len(self._weights))
        rows = self._weights[name, table.format]
        _reserve(path, shape[0] * shape[1])
        out = torch.from_file(str(path), shared=True, size=shape[0] * shape[1], dtype=torch.uint8).view(shape)
        search: Search = "minmax" if row_format == "int8" else "greedy"
        for first in range(0, table.rows, SLICE_ROWS):
            part = slice(first, first + SLICE_ROWS)
            try:
                quantize_rows_into(out[part], rows[part], row_format, search=search)
            except ValueError as error:
                place = f"table {name}, counted from row {first}" if first else f"table {name}"
                raise ArtifactError(f"{self._artifact.path}: {place}: {error}") from error
            self._bar.advance(min(SLICE_ROWS, table.rows - first))
        return out


def _reserve(path: Path, size: int) -> None:
    """Take the bytes from the disk now; a mapped file that finds it full later ends the process."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def sizes_of(table: TableConfig, formats: Sequence[QuantizedFormat] = _FORMATS) -> TableSizes:
    """Return the sizes of a table in its format and in those of ``formats`` that are ever smaller."""
    row_sizes = {table.format: row_bytes(table.format, table.width)}
    for row_format in formats:
        size = row_bytes(row_format, table.width)
        if size < min(row_sizes.values()):
            row_sizes[row_format] = size
    return TableSizes(name=table.name, bytes={form: table.rows * size for form, size in row_sizes.items()})
