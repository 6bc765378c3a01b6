"""One Arrow IPC file of encoded rows, mapped into memory as numpy views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hotrow.data.raw import EncodedBlock
from hotrow.errors import DataError

_REMEDY = "it was cut short or altered; prepare the data set again"


def map_shard(file: Path, *, rows: int, dense: int, categorical: int) -> EncodedBlock:
    """Map a shard: columns ``label``, ``dense`` and ``ids`` of one uncompressed record batch.

    Args:
        file: the Arrow IPC file.
        rows: rows it must have.
        dense: N.
        categorical: F.

    Returns:
        Read-only views of the mapped file, which stays mapped while they live.

    Raises:
        DataError: the shard is missing, cut short, or holds something else.
    """
    batch = _read_batch(file)
    if batch.num_rows != rows:
        raise DataError(file, f"{batch.num_rows} rows, expected {rows}; {_REMEDY}")
    labels = _view(file, batch, "label", pa.float32(), np.float32)
    return EncodedBlock(
        dense=_view(file, batch, "dense", pa.list_(pa.float32(), dense), np.float32).reshape(rows, dense),
        ids=_view(file, batch, "ids", pa.list_(pa.int32(), categorical), np.int32).reshape(rows, categorical),
        labels=labels,
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
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(file, f"not a readable Arrow file ({error}); {_REMEDY}") from error


def _view(file: Path, batch: Any, name: str, kind: Any, dtype: type) -> NDArray[Any]:
    index = batch.schema.get_field_index(name)
    found: Any = batch.schema.field(index).type if index >= 0 else None
    # Two list types differ as soon as their items are named differently; width and items decide.
    same = found == kind or (
        found is not None
        and pa.types.is_fixed_size_list(kind)
        and pa.types.is_fixed_size_list(found)
        and (found.list_size, found.value_type) == (kind.list_size, kind.value_type)
    )
    if not same:
        raise DataError(
            file, f"{found or 'no such column'}, expected {kind}; prepare the data set again", column=name
        )
    column = batch.column(index)
    values = column.flatten() if pa.types.is_fixed_size_list(kind) else column
    if values.null_count:
        raise DataError(file, f"{values.null_count} nulls, expected none; {_REMEDY}", column=name)
    view: NDArray[Any] = values.to_numpy(zero_copy_only=True)
    return view.astype(dtype, copy=False)
