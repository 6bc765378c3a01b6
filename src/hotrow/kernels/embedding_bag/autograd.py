"""The lookup as differentiable functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hotrow.kernels.dispatch import Backend
from hotrow.kernels.embedding_bag._op import backward_update, embedding_bag, weights_gradient
from hotrow.kernels.embedding_bag._types import Bags, Embedded, Layout, States, Update
from hotrow.kernels.embedding_bag.reference import gather_gradients


def fused_embedding_bag(
    tables: Sequence[Tensor],
    states: States,
    layout: Layout,
    bags: Bags,
    update: Callable[[], Update],
    anchor: Tensor,
    *,
    stepped: Callable[[], None] | None = None,
    backend: Backend = "auto",
) -> Embedded:
    """Look up, and step the tables' optimizer when the gradient comes back.

    Args:
        tables: T tables, without requires_grad.
        states: the optimizer's states of each table.
        layout: the tables and features.
        bags: the ids of B examples; ``weights`` may require a gradient.
        update: called in backward, so that it sees the learning rate of that moment.
        anchor: any tensor that requires grad; it ties the result to the graph and gets no gradient.
        stepped: called after a step that was not refused.
        backend: which implementation runs.
    """
    if not torch.is_grad_enabled():
        return embedding_bag(tables, layout, bags, backend=backend)
    step = _Step(tables, states, layout, update, stepped, backend)
    pooled, sequences = _Fused.apply(anchor, bags.ids, bags.offsets, bags.weights, step)  # type: ignore[no-untyped-call]
    return Embedded(pooled, sequences)


def sparse_embedding_bag(
    tables: Sequence[Tensor],
    layout: Layout,
    bags: Bags,
    *,
    checksums: Sequence[Tensor] | None = None,
    backend: Backend = "auto",
) -> Embedded:
    """Look up with sparse (COO, uncoalesced) gradients for each of ``tables``, fp32, fp16 or bf16.

    The gradients are made by PyTorch on every backend.
    """
    if not torch.is_grad_enabled():
        return embedding_bag(tables, layout, bags, checksums=checksums, backend=backend)
    pooled, sequences = _Sparse.apply(  # type: ignore[no-untyped-call]
        bags.ids, bags.offsets, bags.weights, layout, backend, checksums, *tables
    )
    return Embedded(pooled, sequences)


class _Step:
    """What backward needs besides tensors that the graph must watch."""

    def __init__(
        self,
        tables: Sequence[Tensor],
        states: States,
        layout: Layout,
        update: Callable[[], Update],
        stepped: Callable[[], None] | None,
        backend: Backend,
    ) -> None:
        self.tables = tables
        self.states = states
        self.layout = layout
        self.update = update
        self.stepped = stepped
        self.backend = backend
        self.is_done = False


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchor: Tensor, ids: Tensor, offsets: Tensor | None, weights: Tensor | None, step: _Step
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(ids, offsets, weights)
        ctx.step = step
        ctx.versions = [table._version for table in step.tables] if ctx.needs_input_grad[3] else []
        bags = Bags(ids, offsets, len(step.layout.features), _detached(weights))
        result = embedding_bag(step.tables, step.layout, bags, backend=step.backend)
        return result.pooled, result.sequences

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, pooled: Tensor, sequences: Tensor) -> tuple[Tensor | None, ...]:
        ids, offsets, weights = ctx.saved_tensors
        step = ctx.step
        if step.is_done:
            raise RuntimeError("the tables have been updated by this lookup already; look up again")
        bags = Bags(ids, offsets, len(step.layout.features), _detached(weights))
        grad = Embedded(pooled, sequences)
        update = step.update()
        of_weights = None
        if ctx.needs_input_grad[3]:
            if ctx.versions != [table._version for table in step.tables]:
                raise RuntimeError(
                    "the gradient of weights needs rows that have been updated since this lookup; "
                    "take it before another lookup's backward updates them"
                )
            of_weights = weights_gradient(step.tables, step.layout, bags, grad, backend=step.backend)
        backward_update(step.tables, step.states, step.layout, bags, grad, update, backend=step.backend)
        step.is_done = True
        if step.stepped is not None:
            step.stepped()
        return None, None, None, of_weights, None


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        ids: Tensor,
        offsets: Tensor | None,
        weights: Tensor | None,
        layout: Layout,
        backend: Backend,
        checksums: Sequence[Tensor] | None,
        *tables: Tensor,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(ids, offsets, weights, *tables)
        ctx.layout, ctx.backend = layout, backend
        bags = Bags(ids, offsets, len(layout.features), _detached(weights))
        rows = [table.detach() for table in tables]
        result = embedding_bag(rows, layout, bags, checksums=checksums, backend=backend)
        return result.pooled, result.sequences

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, pooled: Tensor, sequences: Tensor) -> tuple[Tensor | None, ...]:
        ids, offsets, weights, *tables = ctx.saved_tensors
        layout = ctx.layout
        bags, grad = Bags(ids, offsets, len(layout.features), _detached(weights)), Embedded(pooled, sequences)
        grads: list[Tensor | None] = [None] * len(tables)
        if any(ctx.needs_input_grad[6:]):
            gathered = zip(tables, gather_gradients(layout, bags, grad), strict=True)
            grads = [_sparse_gradient(table, ids_L, grad_LD) for table, (ids_L, grad_LD) in gathered]
        of_weights = None
        if ctx.needs_input_grad[2]:
            detached = [table.detach() for table in tables]
            of_weights = weights_gradient(detached, layout, bags, grad, backend=ctx.backend)
        return None, None, of_weights, None, None, None, *grads


def _sparse_gradient(table: Tensor, ids_L: Tensor, grad_LD: Tensor) -> Tensor:
    values_LD = grad_LD.to(table.dtype)
    return torch.sparse_coo_tensor(ids_L.unsqueeze(0), values_LD, table.shape, check_invariants=False)


def _detached(weights: Tensor | None) -> Tensor | None:
    return None if weights is None else weights.detach()
