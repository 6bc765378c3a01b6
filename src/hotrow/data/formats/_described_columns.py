"""Reading what rows of a table are split by, beside their features."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats._column_reader import ColumnReader, Fault, require_keys
from hotrow.data.formats._times import time_order
from hotrow.data.formats.description import Description
from hotrow.data.formats.options import TimeKind
from hotrow.data.keys import text_keys


class DescribedColumns(ColumnReader):
    """Reads the columns of rows of a table that a schema file describes."""

    @abstractmethod
    def times(self, name: str, kind: TimeKind) -> NDArray[np.float64]:
        """Return times, (B,), none of which may be missing."""


def read_order(reader: DescribedColumns, description: Description) -> NDArray[np.uint64] | None:
    """Return what rows are split by, as ``SplitRule.is_ordered`` has it; None where no column says it."""
    split, column = description.split, description.split_column
    if split.by == "time":
        assert description.time is not None
        return time_order(reader.times(column, description.time.kind))
    if split.by == "group":
        return require_keys(reader, column, description.key_type(column), "group")
    if split.by != "column":
        return None
    keys = require_keys(reader, column, "text", "split")
    codes = np.full(reader.count, len(split.split_values), dtype=np.uint64)
    for code, values in enumerate(split.split_values.values()):
        codes[np.isin(keys, text_keys(values))] = code
    expected = ", ".join(value for values in split.split_values.values() for value in values)
    for row in np.flatnonzero(codes == len(split.split_values)).tolist():
        reader.note(row, Fault(column, "split", f"found another value, expected one of {expected}"))
    return codes
