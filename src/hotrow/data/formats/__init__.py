"""Raw log formats. To add one: a module with its class, a line in ``_FORMATS``, its test."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hotrow.data.formats.base import (
    Chunk,
    DescribedFormat,
    ParsedBlock,
    RawFormat,
    RowReader,
    Sample,
    TableFormat,
)
from hotrow.data.formats.rows import SchemaRows
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError, SchemaMismatchError

__all__ = [
    "Chunk",
    "DescribedFormat",
    "ParsedBlock",
    "RawFormat",
    "RowReader",
    "Sample",
    "SchemaRows",
    "TableFormat",
    "find_format",
    "format_names",
    "reader_of",
]

_FORMATS = {
    "criteo": ("hotrow.data.formats.criteo", "Criteo"),
    "avazu": ("hotrow.data.formats.avazu", "Avazu"),
    "movielens": ("hotrow.data.formats.movielens", "MovieLens"),
    "sequences": ("hotrow.data.formats.sequences", "Sequences"),
    "csv": ("hotrow.data.formats.csv", "Csv"),
    "parquet": ("hotrow.data.formats.parquet", "Parquet"),
}


def format_names() -> tuple[str, ...]:
    """Return the names of the known formats."""
    return tuple(_FORMATS)


def find_format(name: str) -> RawFormat | DescribedFormat | TableFormat[Any]:
    """Return the format called ``name``.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    if name not in _FORMATS:
        raise ConfigError("format", name, f"one of {', '.join(_FORMATS)}")
    module, attribute = _FORMATS[name]
    found: RawFormat | DescribedFormat | TableFormat[Any] = getattr(import_module(module), attribute)()
    return found


def reader_of(schema: Schema) -> RowReader:
    """Return what reads raw rows like those of a data set.

    That is its format, if its logs are streamed; of tables with a schema file csv, parquet or JSON lines;
    otherwise JSON lines and tables with the schema's columns.

    Raises:
        ConfigError: there is no format of that name.
        SchemaMismatchError: the format's columns are not those of the schema.
    """
    if schema.layout is not None:
        from hotrow.data.formats.described_rows import DescribedRows

        return DescribedRows(schema)
    found = find_format(schema.format)
    if not isinstance(found, RawFormat):
        return SchemaRows(schema)
    if schema.columns != found.schema.columns:
        raise SchemaMismatchError(
            f"the schema has columns {', '.join(schema.columns)}, "
            f"format {found.name} has {', '.join(found.schema.columns)}"
        )
    return found
