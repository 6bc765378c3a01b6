"""The batch at which training came to an end, kept to be looked at.

Shapes: B batch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotrow.errors import StorageError
from hotrow.files import atomic_file
from hotrow.train._tensors import write_tensors
from hotrow.types import Batch

_NAMED = 5
"""Rows that a message names; the file has all."""


def keep_batch(folder: Path, step: int, batch: Batch, rows: NDArray[np.int64], bad: Tensor) -> str:
    """Write a batch as ``step-NNNNNNNNN.safetensors``, and say where it is and which rows it holds.

    The file has ``rows``, the batch's ``dense``, ``ids``, ``labels`` and ``groups``, of lists ``lists.ids``,
    ``lists.offsets`` and ``lists.weights``, and ``bad``. A disk that refuses is told, not raised.

    Args:
        folder: where to; made if it is not there.
        step: which step it was for, counted from 1.
        batch: B rows.
        rows: (B,) which rows of the training split they are, counted from 0 in the order of its shards.
        bad: positions in the batch of the rows without a finite score.
    """
    path = folder / f"step-{step:09d}.safetensors"
    rows_B = torch.from_numpy(rows)
    tensors: dict[str, Tensor | None] = {"rows": rows_B, "bad": bad, "dense": batch.dense, "ids": batch.ids}
    tensors |= {"labels": batch.labels, "groups": batch.groups}
    if batch.lists is not None:
        lists = batch.lists
        tensors |= {"lists.ids": lists.ids, "lists.offsets": lists.offsets, "lists.weights": lists.weights}
    try:
        with atomic_file(path) as partial:
            write_tensors(
                partial, {name: tensor.contiguous() for name, tensor in tensors.items() if tensor is not None}
            )
    except (OSError, StorageError) as error:
        return f"its batch, rows {_named(rows_B)} of split train, could not be kept ({error})"
    scores = f"without a finite score {_named(rows_B[bad])}"
    if len(bad) in (0, len(rows)):
        scores = "none with a finite score" if len(bad) else "all with finite scores"
    return f"its batch is kept in {path}: rows {_named(rows_B)} of split train, {scores}"


def _named(rows: Tensor) -> str:
    """Return the first numbers, and how many there are besides."""
    names = ", ".join(map(str, rows[:_NAMED].tolist()))
    return names if len(rows) <= _NAMED else f"{names} and {len(rows) - _NAMED} more"
