"""FBGEMM's table-batched embeddings on the CPU (``fbgemm-gpu-cpu``, installed by ``make setup-bench``).

Ids and offsets are int32: a forward is some 5% faster than with int64, a step no slower.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.embedding.ids import Ids
from benchmarks.embedding.shapes import Shape
from benchmarks.embedding.task import EPSILON, RATE, Task
from benchmarks.embedding.timing import Call
from hotrow.kernels.row_formats import RowFormat, payload_bytes


def load() -> Any:
    """Return FBGEMM's classes by name.

    Raises:
        SystemExit: it is not installed.
    """
    try:
        importlib.import_module("fbgemm_gpu")
    except ImportError as error:
        raise SystemExit(f"fbgemm_gpu cannot be imported ({error}): run `make setup-bench` first") from None
    training = importlib.import_module("fbgemm_gpu.split_table_batched_embeddings_ops_training")
    inference = importlib.import_module("fbgemm_gpu.split_table_batched_embeddings_ops_inference")
    common = importlib.import_module("fbgemm_gpu.split_table_batched_embeddings_ops_common")
    configs = importlib.import_module("fbgemm_gpu.split_embedding_configs")
    return SimpleNamespace(
        Training=training.SplitTableBatchedEmbeddingBagsCodegen,
        Inference=inference.IntNBitTableBatchedEmbeddingBagsCodegen,
        on_cpu=(common.EmbeddingLocation.HOST, training.ComputeDevice.CPU),
        Host=common.EmbeddingLocation.HOST,
        Pooling=common.PoolingMode,
        Optimizer=configs.EmbOptimType,
        Precision=configs.SparseType,
    )


class FbgemmTables:
    """``SplitTableBatchedEmbeddingBagsCodegen``, whose optimizer is fused as hotrow's is."""

    def __init__(self, task: Task, batches: Sequence[Ids], weights: Sequence[Tensor]) -> None:
        fbgemm = load()
        shape = task.shape
        self._tables = fbgemm.Training(
            [(rows, shape.width, *fbgemm.on_cpu) for rows in shape.rows],
            optimizer=fbgemm.Optimizer[f"EXACT_{task.optimizer.upper()}"],
            learning_rate=RATE,
            eps=EPSILON,
            weights_precision=fbgemm.Precision[task.format.upper()],
            pooling_mode=fbgemm.Pooling.SUM if task.pooled else fbgemm.Pooling.NONE,
        )
        for own, given in zip(self._tables.split_embedding_weights(), weights, strict=True):
            own.copy_(given)
        self._inputs = _inputs(batches)

    def look_up(self, batch: int) -> tuple[Tensor, ...]:
        """See ``Contender``."""
        return (self._tables(*self._inputs[batch]),)

    def update(self, out: tuple[Tensor, ...], direction: Tensor) -> None:
        """See ``Contender``."""
        torch.autograd.backward(out, (direction,))


def low_bit(shape: Shape, row_format: RowFormat, rows: Tensor, batches: Sequence[Ids]) -> Call:
    """Return the lookup in T copies of a table, with float32 results; arguments as in ``_hotrow``."""
    fbgemm = load()
    precision = fbgemm.Precision[row_format.upper()]
    tables = fbgemm.Inference(
        [(str(number), size, shape.width, precision, fbgemm.Host) for number, size in enumerate(shape.rows)],
        device="cpu",
        output_dtype=fbgemm.Precision.FP32,
    )
    tables.initialize_weights()
    tables.assign_embedding_weights([_split(row_format, rows, shape.width)] * shape.tables)
    inputs = _inputs(batches)
    return lambda batch: tables(*inputs[batch])


def _inputs(batches: Sequence[Ids]) -> list[tuple[Tensor, Tensor]]:
    return [(ids.flat.int(), ids.offsets.int()) for ids in batches]


def _split(row_format: RowFormat, rows: Tensor, width: int) -> tuple[Tensor, Tensor | None]:
    """Return codes and float16 (scale, bias) as FBGEMM takes them, both as bytes."""
    if row_format == "fp16":
        return rows.view(torch.uint8), None
    payload = payload_bytes(row_format, width)
    parameters = rows[:, payload:].contiguous()
    if row_format == "int8":
        parameters = parameters.view(torch.float32).half().view(torch.uint8)
    return rows[:, :payload].contiguous(), parameters
