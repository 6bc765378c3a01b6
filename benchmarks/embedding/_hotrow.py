"""hotrow's tables, trained and low-bit.

Ids are int32, and a (B, T) tensor where each bag holds one id: the form that hotrow's loader gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.embedding.ids import Ids
from benchmarks.embedding.shapes import Shape
from benchmarks.embedding.task import EPSILON, RATE, Task
from benchmarks.embedding.timing import Call
from hotrow.embedding import EmbeddingTables, FeatureConfig, TableConfig, TableOptimizerConfig
from hotrow.kernels.memory import prefer_huge_pages
from hotrow.kernels.row_formats import RowFormat
from hotrow.types import Jagged


class HotrowTables:
    """``EmbeddingTables`` with the fused optimizer."""

    def __init__(self, task: Task, batches: Sequence[Ids]) -> None:
        tables = _tables(task.shape, task.format)
        features = [FeatureConfig(name=table.name, table=table.name, pooling="none") for table in tables]
        self._tables = EmbeddingTables(
            tables,
            features=None if task.pooled else features,
            optimizer=TableOptimizerConfig(
                kind=task.optimizer, lr=RATE, eps=EPSILON, stochastic_rounding=task.stochastic
            ),
        )
        self._task = task
        self._batches = [arranged(task.shape, ids, flat=not task.pooled) for ids in batches]

    def weights(self) -> list[Tensor]:
        """Return the tables, (E, D) each."""
        return [self._tables.table_weight(str(number)) for number in range(self._task.shape.tables)]

    def look_up(self, batch: int) -> tuple[Tensor, ...]:
        """See ``Contender``."""
        if self._task.pooled:
            return (self._tables(self._batches[batch]),)
        return tuple(self._tables.lookup(self._batches[batch]).sequences.values())

    def update(self, out: tuple[Tensor, ...], direction: Tensor) -> None:
        """See ``Contender``."""
        torch.autograd.backward(out, torch.split(direction, [part.shape[0] for part in out]))


def low_bit(shape: Shape, row_format: RowFormat, rows: Tensor, batches: Sequence[Ids]) -> Call:
    """Return the lookup in T copies of a table.

    Args:
        shape: of the tables.
        row_format: of the rows.
        rows: (E, D) float16, or (E, N) uint8 as ``torch.ops.quantized`` packs them.
        batches: what is looked up.
    """
    configs = _tables(shape, row_format)
    tables = EmbeddingTables.from_weights(configs, {config.name: _placed(rows) for config in configs})
    inputs = [arranged(shape, ids) for ids in batches]
    return lambda batch: tables(inputs[batch])


def _placed(rows: Tensor) -> Tensor:
    """Return a copy in memory such as ``quantize_rows`` allocates, with huge pages advised."""
    placed = torch.empty_like(rows)
    prefer_huge_pages(placed)
    return placed.copy_(rows)


def _tables(shape: Shape, row_format: RowFormat) -> list[TableConfig]:
    return [
        TableConfig(name=str(number), rows=rows, width=shape.width, format=row_format)
        for number, rows in enumerate(shape.rows)
    ]


def arranged(shape: Shape, ids: Ids, *, flat: bool = False) -> Jagged | Tensor:
    """Return ids as ``EmbeddingTables`` takes them: (B, T) where there is one in each bag, or jagged."""
    if shape.one_id_each and not flat:
        return ids.flat.int().view(shape.tables, shape.batch).T.contiguous()
    return Jagged(ids.flat.int(), ids.offsets)
