"""One Arrow IPC file of encoded rows, mapped into memory as numpy views."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import ListFeature, Schema
from hotrow.data.shards import shard_schema
from hotrow.errors import DataError

_REMEDY = "it was cut short or altered; prepare the data set again"


def map_shard(file: Path, schema: Schema, *, rows: int) -> EncodedBlock:
    """Map a shard, which is one uncompressed record batch (see :mod:`hotrow.data.shards`).

    Args:
        file: the Arrow IPC file.
        schema: of its data set; says which columns there are.
        rows: rows it must have.

    Returns:
        Read-only views of the mapped file, which stays mapped while they live.

    Raises:
        DataError: the shard is missing, cut short, or holds something else.
    """
    batch = _read_batch(file)
    if batch.num_rows != rows:
        raise DataError(file, f"{batch.num_rows} rows, expected {rows}; {_REMEDY}")
    shard = _Shard(file, batch, shard_schema(schema))
    dense, categorical, labels = len(schema.dense), len(schema.categorical), len(schema.labels)
    return EncodedBlock(
        dense=shard.view("dense", rows, dense) if dense else np.empty((rows, 0), np.float32),
        ids=shard.view("ids", rows, categorical) if categorical else np.empty((rows, 0), np.int32),
        labels=shard.view("label", rows) if labels == 1 else shard.view("labels", rows, labels),
        lists=tuple(shard.lists(feature) for feature in schema.lists),
        groups=shard.view("group", rows) if schema.group else None,
    )


def _read_batch(file: Path) -> Any:
    try:
        with pa.memory_map(str(file), "r") as source:
            reader = pa.ipc.open_file(source)
            if reader.num_record_batches != 1:
                raise DataError(file, f"{reader.num_record_batches} record batches, expected 1; {_REMEDY}")
            return reader.get_batch(0)
    except FileNotFoundError as error:
        raise DataError(file, "missing, expected a shard; prepare the data set again") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(file, f"not a readable Arrow file ({error}); {_REMEDY}") from error


class _Shard:
    """The columns of a shard that was read.

    Args:
        file: for messages.
        batch: its record batch.
        expected: the Arrow schema it must have.
    """

    def __init__(self, file: Path, batch: Any, expected: Any) -> None:
        self._file = file
        self._batch = batch
        self._expected = expected

    def view(self, name: str, *shape: int) -> NDArray[Any]:
        """Return the values of a column of numbers, or of lists of a fixed number of them, in a shape."""
        column = self._column(name)
        self._validate(name, column, full=False)  # that no buffer is too short: nothing is read
        values = column.flatten() if pa.types.is_fixed_size_list(column.type) else column
        if len(values) != math.prod(shape):
            raise DataError(
                self._file, f"{len(values)} values, expected {math.prod(shape)}; {_REMEDY}", column=name
            )
        return self._numbers(name, values).reshape(shape)

    def lists(self, feature: ListFeature) -> EncodedList:
        """Return a list feature, with its weights if it has any."""
        ids, starts, lengths = self._list_view(f"list.{feature.name}")
        if not feature.weighted:
            return EncodedList(ids, starts, lengths)
        name = f"weight.{feature.name}"
        weights, *places = self._list_view(name)
        if len(weights) != len(ids) or not all(map(np.array_equal, places, (starts, lengths))):
            raise DataError(
                self._file, f"other offsets or sizes than list.{feature.name}; {_REMEDY}", column=name
            )
        return EncodedList(ids, starts, lengths, weights)

    def _list_view(self, name: str) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int32]]:
        """Return the flat values, and each row's start and length in them, known to lie within."""
        column = self._column(name)
        self._validate(name, column, full=True)  # reads all offsets and sizes: 1 ms for a million rows
        if column.null_count:
            raise DataError(self._file, f"{column.null_count} nulls, expected none; {_REMEDY}", column=name)
        starts, lengths = self._numbers(name, column.offsets), self._numbers(name, column.sizes)
        return self._numbers(name, column.values), starts, lengths

    def _validate(self, name: str, column: Any, *, full: bool) -> None:
        try:
            column.validate(full=full)
        except pa.ArrowException as error:
            raise DataError(self._file, f"not usable ({error}); {_REMEDY}", column=name) from error

    def _column(self, name: str) -> Any:
        kind = self._expected.field(name).type
        index = self._batch.schema.get_field_index(name)
        found: Any = self._batch.schema.field(index).type if index >= 0 else None
        if found is None or not _is_same(found, kind):
            raise DataError(
                self._file,
                f"{found or 'no such column'}, expected {kind}; prepare the data set again",
                column=name,
            )
        return self._batch.column(index)

    def _numbers(self, name: str, values: Any) -> NDArray[Any]:
        if values.null_count:
            raise DataError(self._file, f"{values.null_count} nulls, expected none; {_REMEDY}", column=name)
        view: NDArray[Any] = values.to_numpy(zero_copy_only=True)
        return view


def _is_same(found: Any, expected: Any) -> bool:
    """Whether types are the same. Of list types kind, width and items decide, not what items are called."""
    if pa.types.is_fixed_size_list(expected):
        return pa.types.is_fixed_size_list(found) and (found.list_size, found.value_type) == (
            expected.list_size,
            expected.value_type,
        )
    if pa.types.is_list_view(expected):
        return pa.types.is_list_view(found) and bool(found.value_type == expected.value_type)
    return bool(found == expected)
