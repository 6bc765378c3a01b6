"""The lookup as differentiable functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hotrow.kernels.dispatch import Backend
from hotrow.kernels.embedding_bag import reference
from hotrow.kernels.embedding_bag._op import backward_update, embedding_bag
from hotrow.kernels.embedding_bag._types import Bags, Update


def fused_embedding_bag(
    weights: Sequence[Tensor],
    states: Sequence[Tensor],
    bags: Bags,
    update: Callable[[], Update],
    anchor: Tensor,
    *,
    names: Sequence[str],
    backend: Backend = "auto",
) -> Tensor:
    """Look up, and step the tables' optimizer when the gradient comes back.

    Args:
        weights: T tables, (E, D) each, without requires_grad.
        states: T optimizer states, or empty.
        bags: the ids of B examples.
        update: called in backward, so that it sees the learning rate of that moment.
        anchor: any tensor that requires grad; it ties the result to the graph and gets no gradient.
        names: names of the tables, for messages.
        backend: which implementation runs.

    Returns:
        (B, sum of D).
    """
    if not torch.is_grad_enabled():
        return embedding_bag(weights, bags, names=names, backend=backend)
    step = _Step(weights, states, update, names, backend)
    result: Tensor = _Fused.apply(anchor, bags.ids, bags.offsets, bags.num_tables, step)  # type: ignore[no-untyped-call]
    return result


def sparse_embedding_bag(
    weights: Sequence[Tensor], bags: Bags, *, names: Sequence[str], backend: Backend = "auto"
) -> Tensor:
    """Look up with sparse (COO, uncoalesced) gradients for each of ``weights``, (B, sum of D)."""
    if not torch.is_grad_enabled():
        return embedding_bag(weights, bags, names=names, backend=backend)
    result: Tensor = _Sparse.apply(bags.ids, bags.offsets, names, backend, *weights)  # type: ignore[no-untyped-call]
    return result


class _Step:
    """What backward needs besides tensors that the graph must watch."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        states: Sequence[Tensor],
        update: Callable[[], Update],
        names: Sequence[str],
        backend: Backend,
    ) -> None:
        self.weights = weights
        self.states = states
        self.update = update
        self.names = names
        self.backend = backend


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchor: Tensor, ids: Tensor, offsets: Tensor | None, num_tables: int, step: _Step
    ) -> Tensor:
        ctx.save_for_backward(ids, offsets)
        ctx.num_tables = num_tables
        ctx.step = step
        bags = Bags(ids, offsets, num_tables)
        return embedding_bag(step.weights, bags, names=step.names, backend=step.backend)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, ...]:
        ids, offsets = ctx.saved_tensors
        step = ctx.step
        bags = Bags(ids, offsets, ctx.num_tables)
        backward_update(
            step.weights, step.states, bags, grad, step.update(), names=step.names, backend=step.backend
        )
        return (None,) * 5


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        ids: Tensor,
        offsets: Tensor | None,
        names: Sequence[str],
        backend: Backend,
        *weights: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(ids, offsets)
        ctx.shapes = [weight.shape for weight in weights]
        detached = [weight.detach() for weight in weights]
        return embedding_bag(detached, Bags(ids, offsets, len(weights)), names=names, backend=backend)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        ids, offsets = ctx.saved_tensors
        bags = Bags(ids, offsets, len(ctx.shapes))
        grads, column = [], 0
        for table, shape in enumerate(ctx.shapes):
            ids_L, bag_L = reference.lookups(bags, table)
            grad_LD = grad[:, column : column + shape[1]][bag_L]
            column += shape[1]
            grads.append(torch.sparse_coo_tensor(ids_L.unsqueeze(0), grad_LD, shape, check_invariants=False))
        return None, None, None, None, *grads
