"""The sum-pooled lookup in C++ (csrc/embedding_bag.cpp): float32 tables in host memory.

Tables are passed as arrays of base pointers, so they may lie anywhere: in separate allocations, or in
memory-mapped files when serving.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.embedding_bag._types import BadIdError, Bags, Update

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def forward(weights: Sequence[Tensor], bags: Bags) -> Tensor:
    """Return the sum of each bag's rows, tables side by side: (B, sum of D)."""
    note_path("embedding_bag_forward", "cpu")
    tables = _tables(weights)
    pooled_BD = torch.empty(bags.batch_size, sum(tables[2]))
    bad = _kernels.embedding_bag_forward(
        *tables, bags.ids.contiguous(), bags.offsets, pooled_BD, torch.get_num_threads()
    )
    _require_no_bad(bad)
    return pooled_BD


def backward_update(
    weights: Sequence[Tensor], states: Sequence[Tensor], bags: Bags, grad: Tensor, update: Update
) -> None:
    """Sum each touched row's gradients in order of bags, then step the optimizer once per row."""
    note_path("embedding_bag_backward", "cpu")
    bad = _kernels.embedding_bag_backward(
        *_tables(weights),
        [state.data_ptr() for state in states],
        bags.ids.contiguous(),
        bags.offsets,
        grad,
        update.lr,
        update.eps,
        torch.get_num_threads(),
    )
    _require_no_bad(bad)


def _tables(weights: Sequence[Tensor]) -> tuple[list[int], list[int], list[int]]:
    """Return base pointers, rows and widths."""
    pointers = [weight.data_ptr() for weight in weights]
    return pointers, [weight.shape[0] for weight in weights], [weight.shape[1] for weight in weights]


def _require_no_bad(bad: tuple[int, int] | None) -> None:
    if bad is not None:
        raise BadIdError(*bad)
