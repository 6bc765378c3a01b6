"""Shards of a prepared split: Arrow IPC files that are mapped into memory as they are.

One record batch, uncompressed: ``label`` float32, ``dense`` fixed-size list of N float32, ``ids``
fixed-size list of F int32. The values of each column are one contiguous row-major array.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SHARD_ROWS = 1 << 20


def shard_schema(num_dense: int, num_categorical: int) -> Any:
    """Return the Arrow schema of a shard."""
    return pa.schema(
        [
            pa.field("label", pa.float32(), nullable=False),
            pa.field(
                "dense", pa.list_(pa.field("item", pa.float32(), nullable=False), num_dense), nullable=False
            ),
            pa.field(
                "ids", pa.list_(pa.field("item", pa.int32(), nullable=False), num_categorical), nullable=False
            ),
        ]
    )


def write_shard(
    path: Path, labels: NDArray[np.float32], dense: NDArray[np.float32], ids: NDArray[np.int32]
) -> None:
    """Write one shard.

    Args:
        path: the new file.
        labels: (B,).
        dense: (B, N).
        ids: (B, F).
    """
    schema = shard_schema(dense.shape[1], ids.shape[1])
    columns = [
        pa.array(labels),
        pa.FixedSizeListArray.from_arrays(pa.array(dense.reshape(-1)), type=schema.field("dense").type),
        pa.FixedSizeListArray.from_arrays(pa.array(ids.reshape(-1)), type=schema.field("ids").type),
    ]
    batch = pa.record_batch(columns, schema=schema)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(batch)
