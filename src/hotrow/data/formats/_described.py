"""What csv and parquet have in common: rows of a table whose columns a schema file describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.config import did_you_mean
from hotrow.data.formats._column_reader import read_block
from hotrow.data.formats._described_columns import DescribedColumns, read_order
from hotrow.data.formats._row_columns import ANY, known_columns, require_rows
from hotrow.data.formats.base import RawFormat
from hotrow.data.formats.description import FORMAT, Description
from hotrow.data.raw import RawBlock
from hotrow.data.schema import Schema, TableLayout
from hotrow.errors import DataError

_SHOWN = 60  # letters of a column's name in messages


class DescribedLog(RawFormat):
    """Rows of a table, to prepare or to rank.

    Args:
        schema: which columns there are; of rows to rank, of the data set that they are like.
        description: of rows to prepare: the schema file, all columns of which must be there. None: of rows to
            rank, of which any column may be absent.
    """

    name = FORMAT

    def __init__(self, schema: Schema, description: Description | None) -> None:
        assert schema.layout is not None
        self.schema = schema
        self.description = description
        self.known = known_columns(schema)

    @property
    def layout(self) -> TableLayout:
        """How rows are written."""
        assert self.schema.layout is not None
        return self.schema.layout

    def block_from_rows(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        """Read rows such as ``{"user": 7, "tags": ["red", "new"]}``."""
        return require_rows(rows, self.schema)

    def check_columns(self, source: Path, names: Sequence[str], line: int | None) -> bool:
        """Look at the columns of a file; return whether its rows carry labels.

        Args:
            source: the file.
            names: its columns.
            line: of the header, for messages.

        Raises:
            DataError: a column is there twice, is unknown, or must be there and is not.
        """
        for name, count in Counter(names).items():
            if count > 1:
                raise DataError(
                    source, "is there twice, expected each column once", line=line, column=name[:_SHOWN]
                )
            if name not in self.known and ANY not in self.known:
                nearest = did_you_mean(name, self.known)
                reason = f"unknown column{nearest}"
                if self.description is not None:
                    reason += f"; {self.description.path} must name it, at least in ignore"
                raise DataError(source, reason, line=line, column=name[:_SHOWN])
        if self.description is not None:
            for name, key in self.description.columns.items():
                if name not in names:
                    reason = f"no such column, expected it as {self.description.path} says ({key})"
                    raise DataError(source, reason + did_you_mean(name, names), line=line, column=name)
        return set(names).issuperset(self.schema.labels)

    def read_rows(
        self, reader: DescribedColumns, *, labelled: bool
    ) -> tuple[RawBlock, NDArray[np.uint64] | None]:
        """Read all columns: the rows, and what they are split by; faults are in the reader."""
        is_prepared = self.description is not None
        block = read_block(
            reader,
            self.schema,
            with_labels=labelled,
            with_groups=is_prepared and bool(self.schema.group),
        )
        return block, read_order(reader, self.description) if self.description else None
