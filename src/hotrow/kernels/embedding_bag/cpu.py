"""The lookup in C++ (csrc/embedding_bag_*.cpp) for tables in host memory.

Tables are passed as base addresses, so they may lie anywhere: in separate allocations, in memory shared
between processes, or in memory-mapped files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.embedding_bag._types import (
    BadBagError,
    BadIdError,
    BadOffsetsError,
    Bags,
    Embedded,
    Layout,
    OptimizerKind,
    Pooling,
    States,
    Update,
)
from hotrow.kernels.embedding_bag.checksums import CHECKSUM_BYTES
from hotrow.kernels.memory import Recycler, prefer_huge_pages
from hotrow.kernels.row_formats import RowFormat, row_bytes

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402

# The kernels' enumerations have the order of these types.
_FORMATS: Final = {name: number for number, name in enumerate(get_args(RowFormat))}
_POOLINGS: Final = {name: number for number, name in enumerate(get_args(Pooling))}
_OPTIMIZERS: Final = {name: number for number, name in enumerate(get_args(OptimizerKind))}

_BAD_ID: Final = 1  # Problem::Kind
_SOFT_ERROR: Final = 3

_results: Final = Recycler()

_layouts: WeakKeyDictionary[Layout, _kernels.EmbeddingLayout] = WeakKeyDictionary()


def forward(
    tables: Sequence[Tensor], layout: Layout, bags: Bags, checksums: Sequence[Tensor] | None = None
) -> Embedded:
    """Look up and pool; verify bags while their rows are in the cache."""
    note_path("embedding_bag_forward", "cpu")
    pooled = _results.empty(bags.batch_size, layout.pooled_width)
    sequences = _results.empty(layout.sequences_size(bags), 1).view(-1)
    found = _kernels.embedding_bag_forward(
        _compiled_layout(layout),
        [table.data_ptr() for table in tables],
        [] if checksums is None else [checksum.data_ptr() for checksum in checksums],
        _addresses(bags),
        pooled.data_ptr(),
        sequences.data_ptr(),
        torch.get_num_threads(),
    )
    _require_none(found)
    return Embedded(pooled, sequences)


def make_checksums(tables: Sequence[Tensor], layout: Layout) -> list[Tensor]:
    """Return the checksums of each table's rows."""
    note_path("embedding_bag_checksums", "cpu")
    checksums = []
    for index, (table, spec) in enumerate(zip(tables, layout.tables, strict=True)):
        of_rows = torch.empty(spec.rows, CHECKSUM_BYTES, dtype=torch.uint8, device="cpu")
        prefer_huge_pages(of_rows)
        _kernels.embedding_bag_make_checksums(
            _compiled_layout(layout), index, table.data_ptr(), of_rows.data_ptr(), torch.get_num_threads()
        )
        checksums.append(of_rows)
    return checksums


def verify(
    tables: Sequence[Tensor], layout: Layout, bags: Bags, checksums: Sequence[Tensor], result: Embedded
) -> None:
    """Check a lookup's rows and results."""
    note_path("embedding_bag_verify", "cpu")
    found = _kernels.embedding_bag_verify(
        _compiled_layout(layout),
        [table.data_ptr() for table in tables],
        [checksum.data_ptr() for checksum in checksums],
        _addresses(bags),
        result.pooled.data_ptr(),
        result.sequences.data_ptr(),
        torch.get_num_threads(),
    )
    _require_none(found)


def backward_update(
    tables: Sequence[Tensor], states: States, layout: Layout, bags: Bags, grad: Embedded, update: Update
) -> None:
    """Sum each touched row's gradients in order of lookups, then step the optimizer once per row."""
    note_path("embedding_bag_backward", "cpu")
    step = _kernels.OptimizerStep(
        _OPTIMIZERS[update.kind],
        update.lr,
        update.eps,
        update.beta1,
        update.beta2,
        update.weight_decay,
        update.decay == "decoupled",
        update.clip_value,
        update.clip_norm,
        update.step,
        update.stochastic,
        update.seed % 2**64,
    )
    found = _kernels.embedding_bag_backward(
        _compiled_layout(layout),
        [table.data_ptr() for table in tables],
        [[state.data_ptr() for state in of_table] for of_table in states],
        _addresses(bags),
        grad.pooled.data_ptr(),
        grad.sequences.data_ptr(),
        step,
        torch.get_num_threads(),
    )
    _require_none(found)


def weights_gradient(tables: Sequence[Tensor], layout: Layout, bags: Bags, grad: Embedded) -> Tensor:
    """Return for each lookup the product of its row and the gradient of its place."""
    note_path("embedding_bag_weights_gradient", "cpu")
    products = torch.empty(bags.ids.shape, dtype=torch.float32, device="cpu")
    found = _kernels.embedding_bag_weights_gradient(
        _compiled_layout(layout),
        [table.data_ptr() for table in tables],
        _addresses(bags),
        grad.pooled.data_ptr(),
        grad.sequences.data_ptr(),
        products.data_ptr(),
        torch.get_num_threads(),
    )
    _require_none(found)
    return products


def _addresses(bags: Bags) -> tuple[int, bool, int, int, int, int]:
    """Return what the kernels take, by address: a tensor handed over as an array costs microseconds."""
    ids, offsets, weights = bags.ids, bags.offsets, bags.weights
    return (
        ids.data_ptr(),
        ids.dtype == torch.int64,
        0 if offsets is None else offsets.data_ptr(),
        0 if weights is None else weights.data_ptr(),
        bags.batch_size,
        ids.numel(),
    )


def _compiled_layout(layout: Layout) -> _kernels.EmbeddingLayout:
    compiled = _layouts.get(layout)
    if compiled is None:
        tables = [(t.rows, t.width, row_bytes(t.format, t.width), _FORMATS[t.format]) for t in layout.tables]
        features = [
            (feature.table, _POOLINGS[feature.pooling], feature.padding, column)
            for feature, column in zip(layout.features, layout.columns, strict=True)
        ]
        compiled = _layouts[layout] = _kernels.EmbeddingLayout(tables, features, layout.pooled_width)
    return compiled


def _require_none(found: tuple[int, int, int, int] | None) -> None:
    if found is None:
        return
    kind, where, position, bad_id = found
    if kind == _BAD_ID:
        raise BadIdError(where, position, bad_id)
    if kind == _SOFT_ERROR:
        raise BadBagError(where, position)
    raise BadOffsetsError(where)
