"""Whether rows of a data set can be what was prepared: an altered shard is told before a model reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.data.schema import Schema
from hotrow.errors import DataError
from hotrow.types import Batch, Jagged

_REMEDY = "it was altered; prepare the data set again"


def require_intact(batch: Batch, schema: Schema, place: Path) -> None:
    """Refuse ids outside their tables, and labels that are none.

    Args:
        batch: B rows with labels.
        schema: of the data set.
        place: the split's folder, for messages.

    Raises:
        DataError: names the column and the value.
    """
    require_ids(batch.ids.numpy(), schema, place)
    if batch.lists is not None:
        _require_list_ids(batch.lists, len(batch), schema, place)
    assert batch.labels is not None
    labels = batch.labels.numpy()
    wrong = labels[(labels != 0) & (labels != 1)]
    if wrong.size:
        raise DataError(place, f"holds the label {wrong[0]}, expected 0 or 1; {_REMEDY}")


def require_ids(ids_BF: NDArray[np.int32], schema: Schema, place: Path) -> None:
    """Refuse ids of categorical features that are outside their tables.

    Raises:
        DataError: names the column and the id.
    """
    rows_F = np.array(schema.rows, dtype=np.uint32)
    is_outside = ids_BF.view(np.uint32) >= rows_F  # as unsigned numbers, negative ones are large
    if is_outside.any():
        row, column = np.argwhere(is_outside)[0]
        feature = schema.categorical[column]
        raise _outside(place, feature.name, int(ids_BF[row, column]), feature.rows)


def _require_list_ids(lists: Jagged, B: int, schema: Schema, place: Path) -> None:
    ends = lists.offsets[::B].tolist() if B else []
    for feature, start, end in zip(schema.lists, ends, ends[1:], strict=False):
        ids = lists.ids[start:end].numpy()
        wrong = np.flatnonzero(ids.view(np.uint32) >= np.uint32(feature.rows))
        if wrong.size:
            raise _outside(place, feature.name, int(ids[wrong[0]]), feature.rows)


def _outside(place: Path, name: str, found: int, rows: int) -> DataError:
    return DataError(place, f"holds id {found}, its table has {rows} rows; {_REMEDY}", column=name)
