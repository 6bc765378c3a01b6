"""Shards of a prepared split: Arrow IPC files that are mapped into memory as they are.

One record batch, uncompressed: ``label`` float32 (of K > 1 labels: ``labels``, fixed-size list of K
float32), ``dense`` fixed-size list of N float32, ``ids`` fixed-size list of F int32 (absent where N or
F is 0: Arrow cannot divide values into lists of none); for each list feature ``list.NAME``, list view of
int32, and if it is weighted ``weight.NAME``, list view of float32 with the same offsets and sizes;
``group`` int64 if the schema names a group. The values of each column are one contiguous row-major
array; rows of a list view are slices of it that may overlap.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import Schema

SHARD_ROWS = 1 << 20

MAX_LISTED = 2**31 - 1
"""Ids that a list feature of a shard may have: a list view addresses them by int32."""


def shard_schema(schema: Schema) -> Any:
    """Return the Arrow schema of a shard."""
    labels = len(schema.labels)
    columns = [("label", pa.float32()) if labels == 1 else ("labels", pa.list_(_item(pa.float32()), labels))]
    if schema.dense:
        columns.append(("dense", pa.list_(_item(pa.float32()), len(schema.dense))))
    if schema.categorical:
        columns.append(("ids", pa.list_(_item(pa.int32()), len(schema.categorical))))
    for feature in schema.lists:
        columns.append((f"list.{feature.name}", pa.list_view(_item(pa.int32()))))
        if feature.weighted:
            columns.append((f"weight.{feature.name}", pa.list_view(_item(pa.float32()))))
    if schema.group:
        columns.append(("group", pa.int64()))
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


def write_shard(path: Path, block: EncodedBlock, schema: Schema) -> None:
    """Write one shard.

    Args:
        path: the new file.
        block: its rows, with labels, and groups if the schema names a group.
        schema: of the data set.

    Raises:
        ValueError: a list feature has more ids than a list view can address.
    """
    columns: dict[str, Any] = {
        "label" if len(schema.labels) == 1 else "labels": block.labels,
        "dense": block.dense,
        "ids": block.ids,
        "group": block.groups,
    }
    for feature, rows in zip(schema.lists, block.lists, strict=True):
        columns[f"list.{feature.name}"] = (rows, rows.ids)
        columns[f"weight.{feature.name}"] = (rows, rows.weights)
    expected = shard_schema(schema)
    arrays = [_array(columns[field.name], field.type) for field in expected]
    batch = pa.record_batch(arrays, schema=expected)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, expected) as writer:
        writer.write_batch(batch)


def _item(kind: Any) -> Any:
    return pa.field("item", kind, nullable=False)


def _array(values: NDArray[Any] | tuple[EncodedList, NDArray[Any]], kind: Any) -> Any:
    """Return the Arrow array of a column, without a copy where types are right."""
    if isinstance(values, tuple):
        rows, flat = values
        if len(flat) > MAX_LISTED:
            raise ValueError(f"{len(flat)} ids in a shard's list feature, expected at most {MAX_LISTED}")
        starts, sizes = (pa.array(part.astype(np.int32, copy=False)) for part in (rows.starts, rows.lengths))
        return pa.ListViewArray.from_arrays(starts, sizes, pa.array(flat), type=kind)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=kind)
    return pa.array(values)
