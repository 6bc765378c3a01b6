"""Plain torch: one module for each table, their results side by side; and its quantised lookups.

Ids are int64 in training, as sparse gradients hold them, and int32 otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from benchmarks.embedding.ids import Ids
from benchmarks.embedding.shapes import Shape
from benchmarks.embedding.task import EPSILON, RATE, Task
from benchmarks.embedding.timing import Call
from hotrow.kernels.row_formats import RowFormat

_LOOKUPS: Final[dict[RowFormat, str]] = {"int8": "byte", "int4": "4bit", "int2": "2bit"}


class TorchTables:
    """``nn.EmbeddingBag(sparse=True)``, or ``nn.Embedding`` without pooling.

    Torch has no row-wise Adagrad for sparse gradients: plain SGD, which does less, stands in for it.
    """

    def __init__(self, task: Task, batches: Sequence[Ids], weights: Sequence[Tensor]) -> None:
        self._pooled = task.pooled
        self._modules = nn.ModuleList(_module(task, weight.clone()) for weight in weights)
        if task.optimizer == "adagrad":
            self._optimizer: torch.optim.Optimizer = torch.optim.Adagrad(
                self._modules.parameters(), lr=RATE, eps=EPSILON
            )
        else:
            self._optimizer = torch.optim.SGD(self._modules.parameters(), lr=RATE)
        self._batches = batches
        self._offsets = _offsets(task.shape)

    def look_up(self, batch: int) -> tuple[Tensor, ...]:
        """See ``Contender``."""
        parts = self._batches[batch].of_table
        if not self._pooled:
            return tuple(module(ids) for module, ids in zip(self._modules, parts, strict=True))
        bags = zip(self._modules, parts, self._offsets, strict=True)
        return (torch.cat([module(ids, offsets) for module, ids, offsets in bags], dim=1),)

    def update(self, out: tuple[Tensor, ...], direction: Tensor) -> None:
        """See ``Contender``."""
        self._optimizer.zero_grad()
        torch.autograd.backward(out, torch.split(direction, [part.shape[0] for part in out]))
        self._optimizer.step()


def low_bit(shape: Shape, row_format: RowFormat, rows: Tensor, batches: Sequence[Ids]) -> Call:
    """Return the lookup in T copies of a table; arguments as in ``_hotrow``, without fp16."""
    look_up = getattr(torch.ops.quantized, f"embedding_bag_{_LOOKUPS[row_format]}_rowwise_offsets")
    tables = [rows.clone() for _ in shape.rows]
    offsets = [each.int() for each in _offsets(shape)]
    inputs = [[part.int() for part in ids.of_table] for ids in batches]

    def call(batch: int) -> Tensor:
        bags = zip(tables, inputs[batch], offsets, strict=True)
        return torch.cat([look_up(*bag, include_last_offset=True) for bag in bags], dim=1)

    return call


def pack(row_format: RowFormat, rows: Tensor) -> Tensor:
    """Return float32 rows (E, D) in a low-bit format."""
    if row_format == "fp16":
        return rows.half()
    packed: Tensor = getattr(torch.ops.quantized, f"embedding_bag_{_LOOKUPS[row_format]}_prepack")(rows)
    return packed


def _module(task: Task, weight: Tensor) -> nn.Module:
    rows, width = weight.shape
    if task.pooled:
        return nn.EmbeddingBag(rows, width, _weight=weight, mode="sum", sparse=True, include_last_offset=True)
    return nn.Embedding(rows, width, _weight=weight, sparse=True)


def _offsets(shape: Shape) -> list[Tensor]:
    """Return for each table the (B + 1,) int64 bounds of its bags."""
    return [torch.arange(0, shape.batch * bag + 1, bag) for bag in shape.bags]
