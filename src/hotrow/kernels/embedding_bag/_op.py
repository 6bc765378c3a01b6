"""Checks, once and here, then the chosen implementation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels.dispatch import Backend, Operator
from hotrow.kernels.embedding_bag._types import BadIdError, Bags, Implementation, Update

MAX_LOOKUPS = 2**31  # the order of lookups within a batch is kept in 32 bits; addresses have 64


def _load_reference() -> Implementation:
    from hotrow.kernels.embedding_bag import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.embedding_bag import cpu

    return cpu


OPERATOR: Operator[Implementation] = Operator(
    "embedding_bag", {"reference": _load_reference, "cpu": _load_cpu}
)


def embedding_bag(
    weights: Sequence[Tensor], bags: Bags, *, names: Sequence[str], backend: Backend = "auto"
) -> Tensor:
    """Sum the rows of every bag of every table; not differentiable by itself.

    Args:
        weights: T tables, (E, D) each, contiguous, of one dtype.
        bags: the ids of B examples.
        names: names of the tables, for messages.
        backend: which implementation runs.

    Returns:
        (B, sum of D), tables side by side in order.

    Raises:
        IndexError: an id is outside its table.
        ValueError: shapes, dtypes or devices do not fit together.
    """
    _check_bags(bags, len(weights))
    selected = OPERATOR.select(backend)
    _check_weights(weights, selected.backend)
    try:
        return selected.implementation.forward(weights, bags)
    except BadIdError as error:
        raise _index_error(error, names, weights) from None


def backward_update(
    weights: Sequence[Tensor],
    states: Sequence[Tensor],
    bags: Bags,
    grad: Tensor,
    update: Update,
    *,
    names: Sequence[str],
    backend: Backend = "auto",
) -> None:
    """Apply one optimizer step to the rows that ``bags`` touched, in place.

    Args:
        weights: T tables, (E, D) each.
        states: T row-wise Adagrad accumulators, (E,) each; empty for SGD.
        bags: the ids that ``embedding_bag`` was given.
        grad: (B, sum of D), the gradient of its result.
        update: the optimizer and its current learning rate.
        names: names of the tables, for messages.
        backend: which implementation runs.

    Raises:
        IndexError: an id is outside its table.
        ValueError: shapes, dtypes or devices do not fit together.
    """
    _check_bags(bags, len(weights))
    selected = OPERATOR.select(backend)
    _check_weights(weights, selected.backend)
    width = sum([weight.shape[1] for weight in weights])
    if grad.shape != (bags.batch_size, width):
        raise ValueError(f"grad: got shape {tuple(grad.shape)}, expected {(bags.batch_size, width)}")
    if update.kind == "rowwise_adagrad":
        _check_states(weights, states)
    grad = grad.to(weights[0].dtype).contiguous()
    try:
        selected.implementation.backward_update(weights, states, bags, grad, update)
    except BadIdError as error:
        raise _index_error(error, names, weights) from None


def _check_bags(bags: Bags, num_tables: int) -> None:
    if bags.num_tables != num_tables or num_tables == 0:
        raise ValueError(f"bags are of {bags.num_tables} tables, the weights are of {num_tables}")
    if bags.ids.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"ids: got {bags.ids.dtype}, expected int32 or int64")
    if bags.ids.numel() >= MAX_LOOKUPS:
        raise ValueError(f"ids: got {bags.ids.numel()}, expected fewer than 2**31 in a batch")
    if bags.offsets is None:
        if bags.ids.ndim != 2 or bags.ids.shape[1] != num_tables:
            raise ValueError(f"ids: got shape {tuple(bags.ids.shape)}, expected (B, {num_tables})")
        return
    if bags.ids.ndim != 1 or bags.offsets.ndim != 1 or bags.offsets.dtype != torch.int64:
        raise ValueError("jagged bags: expected ids (L,) and offsets (T * B + 1,) of int64")
    if bags.offsets.numel() != bags.batch_size * num_tables + 1:
        raise ValueError(
            f"offsets: got {bags.offsets.numel()} entries, expected T * B + 1 with T = {num_tables}"
        )
    if int(bags.offsets[0]) != 0 or int(bags.offsets[-1]) != bags.ids.numel():
        raise ValueError(f"offsets: expected to run from 0 to the number of ids, {bags.ids.numel()}")
    if bool((bags.offsets.diff() < 0).any()):
        raise ValueError("offsets: expected never to decrease")


def _check_weights(weights: Sequence[Tensor], backend: str) -> None:
    dtype = weights[0].dtype
    if backend == "cpu" and dtype != torch.float32:
        raise ValueError(f"weights: the cpu backend takes float32, got {dtype}")
    for weight in weights:
        if weight.ndim != 2 or weight.dtype != dtype or not weight.is_contiguous():
            raise ValueError("weights: expected contiguous (E, D) tensors of one dtype")
        if backend == "cpu" and not weight.is_cpu:
            raise ValueError(f"weights: the cpu backend takes tensors in host memory, got {weight.device}")


def _check_states(weights: Sequence[Tensor], states: Sequence[Tensor]) -> None:
    if len(states) != len(weights):
        raise ValueError(f"states: got {len(states)}, expected one for each of {len(weights)} tables")
    for weight, state in zip(weights, states, strict=True):
        if state.shape != weight.shape[:1] or state.dtype != weight.dtype or not state.is_contiguous():
            raise ValueError("states: expected contiguous (E,) tensors of the weights' dtype")


def _index_error(error: BadIdError, names: Sequence[str], weights: Sequence[Tensor]) -> IndexError:
    rows = weights[error.table].shape[0]
    return IndexError(f"table {names[error.table]}: id {error.bad_id} is outside its {rows} rows")
