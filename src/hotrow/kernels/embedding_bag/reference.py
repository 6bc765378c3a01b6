"""The sum-pooled lookup in plain PyTorch: the specification, for any floating dtype and device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.embedding_bag._types import BadIdError, Bags, Update


def forward(weights: Sequence[Tensor], bags: Bags) -> Tensor:
    """Return the sum of each bag's rows, tables side by side: (B, sum of D)."""
    note_path("embedding_bag_forward", "reference")
    pooled = []
    for table, weight_ED in enumerate(weights):
        ids_L, bag_L = lookups(bags, table)
        _check_ids(ids_L, weight_ED.shape[0], table)
        out_BD = weight_ED.new_zeros(bags.batch_size, weight_ED.shape[1])
        pooled.append(out_BD.index_add_(0, bag_L, weight_ED[ids_L]))
    return torch.cat(pooled, dim=1)


def backward_update(
    weights: Sequence[Tensor], states: Sequence[Tensor], bags: Bags, grad: Tensor, update: Update
) -> None:
    """Sum each touched row's gradients over the batch, then step the optimizer once per row."""
    note_path("embedding_bag_backward", "reference")
    column = 0
    for table, weight_ED in enumerate(weights):
        width = weight_ED.shape[1]
        grad_BD = grad[:, column : column + width]
        column += width
        ids_L, bag_L = lookups(bags, table)
        _check_ids(ids_L, weight_ED.shape[0], table)
        rows_U, inverse_L = torch.unique(ids_L, return_inverse=True)
        grad_UD = grad_BD.new_zeros(rows_U.numel(), width).index_add_(0, inverse_L, grad_BD[bag_L])
        if update.kind == "rowwise_adagrad":
            state_U = states[table][rows_U] + grad_UD.square().mean(dim=1)
            states[table][rows_U] = state_U
            grad_UD = grad_UD / (state_U.sqrt() + update.eps).unsqueeze(1)
        weight_ED[rows_U] -= update.lr * grad_UD


def lookups(bags: Bags, table: int) -> tuple[Tensor, Tensor]:
    """Return one table's row ids and the bag of each, both (L,) int64."""
    bag_B = torch.arange(bags.batch_size, device=bags.ids.device)
    if bags.offsets is None:
        return bags.ids[:, table].long(), bag_B
    first = table * bags.batch_size
    offsets_B1 = bags.offsets[first : first + bags.batch_size + 1]
    ids_L = bags.ids[int(offsets_B1[0]) : int(offsets_B1[-1])].long()
    return ids_L, torch.repeat_interleave(bag_B, offsets_B1.diff())


def _check_ids(ids_L: Tensor, rows: int, table: int) -> None:
    bad_L = ids_L[(ids_L < 0) | (ids_L >= rows)]
    if bad_L.numel():
        raise BadIdError(table, int(bad_L[0]))
