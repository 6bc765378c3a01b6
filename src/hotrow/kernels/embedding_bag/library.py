"""The lookup as ``torch.library`` operators, for torch.compile and torch.export.

=========================================  =========================================================
hotrow::embedding_bag                      lookup in tables that take no gradient
hotrow::fused_embedding_bag                the same; its backward is embedding_bag_update
hotrow::embedding_bag_update               steps the optimizer: writes tables, states and step
hotrow::embedding_bag_weights_gradient     gradient of per-lookup weights
=========================================  =========================================================

Operators take tensors and strings only: ``layout`` and ``optimizer`` are JSON (``layout_text``,
``optimizer_text``), the learning rate and the number of steps are tensors, so that a schedule does not
compile anew. Inductor updates tables in place; ``aot_eager``, a debugging aid, copies them each step.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor

from hotrow.kernels.dispatch import Backend
from hotrow.kernels.embedding_bag._op import backward_update as _backward_update
from hotrow.kernels.embedding_bag._op import embedding_bag as _embedding_bag
from hotrow.kernels.embedding_bag._op import weights_gradient as _weights_gradient
from hotrow.kernels.embedding_bag._types import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    TableSpec,
    Update,
)

Pair = tuple[Tensor, Tensor]


def layout_text(layout: Layout) -> str:
    """Return a layout as the operators take it."""
    tables = [asdict(table) for table in layout.tables]
    return json.dumps({"tables": tables, "features": [asdict(feature) for feature in layout.features]})


def optimizer_text(update: Update) -> str:
    """Return an optimizer's constants as the operators take them."""
    return json.dumps(asdict(update))


@lru_cache(maxsize=256)
def _layout(text: str) -> Layout:
    given = json.loads(text)
    tables = tuple(TableSpec(**table) for table in given["tables"])
    return Layout(tables, tuple(FeatureSpec(**feature) for feature in given["features"]))


def _bags(ids: Tensor, offsets: Tensor | None, weights: Tensor | None, layout: Layout) -> Bags:
    return Bags(ids, offsets, len(layout.features), weights)


@torch.library.custom_op("hotrow::embedding_bag", mutates_args=())
def embedding_bag(
    tables: list[Tensor],
    ids: Tensor,
    offsets: Tensor | None,
    weights: Tensor | None,
    layout: str,
    backend: str,
) -> Pair:
    """Look up; see ``hotrow.kernels.embedding_bag.embedding_bag``. Returns pooled and flat sequences."""
    plan = _layout(layout)
    result = _embedding_bag(tables, plan, _bags(ids, offsets, weights, plan), backend=cast(Backend, backend))
    return result.pooled, result.sequences


@torch.library.custom_op("hotrow::fused_embedding_bag", mutates_args=())
def fused_embedding_bag(
    anchor: Tensor,
    tables: list[Tensor],
    states: list[Tensor],
    step: Tensor,
    ids: Tensor,
    offsets: Tensor | None,
    weights: Tensor | None,
    lr: Tensor,
    layout: str,
    optimizer: str,
    backend: str,
) -> Pair:
    """Look up; its backward steps the optimizer. ``anchor`` is any tensor that requires a gradient."""
    plan = _layout(layout)
    result = _embedding_bag(tables, plan, _bags(ids, offsets, weights, plan), backend=cast(Backend, backend))
    return result.pooled, result.sequences


@torch.library.custom_op("hotrow::embedding_bag_update", mutates_args=("tables", "states", "step"))
def embedding_bag_update(
    tables: list[Tensor],
    states: list[Tensor],
    step: Tensor,
    ids: Tensor,
    offsets: Tensor | None,
    weights: Tensor | None,
    pooled: Tensor,
    sequences: Tensor,
    lr: Tensor,
    layout: str,
    optimizer: str,
    backend: str,
) -> None:
    """Step the optimizer, given the gradients of pooled and sequences.

    ``states`` are those of all tables, one table after the other.
    """
    plan = _layout(layout)
    update = Update(**{**json.loads(optimizer), "lr": float(lr), "step": int(step) + 1})
    per_table = len(states) // len(tables)
    of_table = [states[i * per_table : (i + 1) * per_table] for i in range(len(tables))]
    bags, grad = _bags(ids, offsets, weights, plan), Embedded(pooled, sequences)
    _backward_update(tables, of_table, plan, bags, grad, update, backend=cast(Backend, backend))
    step += 1  # of steps that were not refused


@torch.library.custom_op("hotrow::embedding_bag_weights_gradient", mutates_args=())
def embedding_bag_weights_gradient(
    tables: list[Tensor],
    ids: Tensor,
    offsets: Tensor | None,
    weights: Tensor,
    pooled: Tensor,
    sequences: Tensor,
    layout: str,
    backend: str,
) -> Tensor:
    """Return the gradient of the per-lookup weights, in their shape."""
    plan = _layout(layout)
    bags, grad = _bags(ids, offsets, weights, plan), Embedded(pooled, sequences)
    return _weights_gradient(tables, plan, bags, grad, backend=cast(Backend, backend))


def _fake_result(tables: list[Tensor], ids: Tensor, offsets: Tensor | None, layout: str) -> Pair:
    plan = _layout(layout)
    features = len(plan.features)
    batch = ids.shape[0] if offsets is None else (offsets.shape[0] - 1) // features
    dtype = torch.float64 if tables[0].dtype == torch.float64 else torch.float32
    widths = [plan.tables[plan.features[f].table].width for f in plan.sequence_features]
    size: Any = 0
    if widths and offsets is None:
        size = batch * sum(widths)
    elif widths and len(widths) == features and len(set(widths)) == 1:
        size = ids.shape[0] * widths[0]
    elif widths:
        size = torch.library.get_ctx().new_dynamic_size()
    pooled = ids.new_empty(batch, plan.pooled_width, dtype=dtype)
    return pooled, ids.new_empty(size, dtype=dtype)


@embedding_bag.register_fake
def _(
    tables: list[Tensor],
    ids: Tensor,
    offsets: Tensor | None,
    weights: Tensor | None,
    layout: str,
    backend: str,
) -> Pair:
    return _fake_result(tables, ids, offsets, layout)


@fused_embedding_bag.register_fake
def _(
    anchor: Tensor,
    tables: list[Tensor],
    states: list[Tensor],
    step: Tensor,
    ids: Tensor,
    offsets: Tensor | None,
    weights: Tensor | None,
    lr: Tensor,
    layout: str,
    optimizer: str,
    backend: str,
) -> Pair:
    return _fake_result(tables, ids, offsets, layout)


@embedding_bag_weights_gradient.register_fake
def _(
    tables: list[Tensor],
    ids: Tensor,
    offsets: Tensor | None,
    weights: Tensor,
    pooled: Tensor,
    sequences: Tensor,
    layout: str,
    backend: str,
) -> Tensor:
    return torch.empty_like(weights)


def _save_for_update(ctx: Any, inputs: tuple[Any, ...], output: Pair) -> None:
    anchor, tables, states, step, ids, offsets, weights, lr, layout, optimizer, backend = inputs
    ctx.tables, ctx.texts = len(tables), (layout, optimizer, backend)
    ctx.save_for_backward(anchor, step, ids, offsets, weights, lr, *tables, *states)


def _update_in_backward(ctx: Any, pooled: Tensor, sequences: Tensor) -> tuple[Any, ...]:
    anchor, step, ids, offsets, weights, lr, *rest = ctx.saved_tensors
    tables, states = rest[: ctx.tables], rest[ctx.tables :]
    layout, optimizer, backend = ctx.texts
    of_weights = None
    if ctx.needs_input_grad[6]:
        of_weights = embedding_bag_weights_gradient(
            tables, ids, offsets, weights, pooled, sequences, layout, backend
        )
    embedding_bag_update(
        tables, states, step, ids, offsets, weights, pooled, sequences, lr, layout, optimizer, backend
    )
    none = [None] * len(tables), [None] * len(states)
    return torch.zeros_like(anchor), *none, None, None, None, of_weights, None, None, None, None


def _save_for_weights(ctx: Any, inputs: tuple[Any, ...], output: Pair) -> None:
    tables, ids, offsets, weights, layout, backend = inputs
    ctx.tables, ctx.texts = len(tables), (layout, backend)
    ctx.save_for_backward(ids, offsets, weights, *tables)


def _weights_in_backward(ctx: Any, pooled: Tensor, sequences: Tensor) -> tuple[Any, ...]:
    ids, offsets, weights, *tables = ctx.saved_tensors
    of_weights = None
    if ctx.needs_input_grad[3]:
        of_weights = embedding_bag_weights_gradient(
            tables, ids, offsets, weights, pooled, sequences, *ctx.texts
        )
    return [None] * ctx.tables, None, None, of_weights, None, None


embedding_bag.register_autograd(_weights_in_backward, setup_context=_save_for_weights)
fused_embedding_bag.register_autograd(_update_in_backward, setup_context=_save_for_update)
