"""The typed entry: checks, once and here, then the chosen implementation.

Shapes: B batch, T tables, F features, L lookups, E rows, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.autograd.graph import increment_version

from hotrow.kernels.dispatch import Backend
from hotrow.kernels.embedding_bag._check import (
    check_batch,
    check_result,
    check_states,
    contiguous,
    raise_problem,
)
from hotrow.kernels.embedding_bag._types import (
    BadBagError,
    BadIdError,
    BadOffsetsError,
    Bags,
    Embedded,
    Layout,
    States,
    Update,
)
from hotrow.kernels.embedding_bag.finite import require_finite


def embedding_bag(
    tables: Sequence[Tensor],
    layout: Layout,
    bags: Bags,
    *,
    checksums: Sequence[Tensor] | None = None,
    backend: Backend = "auto",
) -> Embedded:
    """Look up the rows of every feature's bags, and pool them; not differentiable by itself.

    Args:
        tables: T tables as ``layout`` says, contiguous.
        layout: the tables and features.
        bags: the ids of B examples.
        checksums: what ``make_checksums`` gave for the tables: every bag is verified; None: none is.
        backend: which implementation runs.

    Returns:
        float32; float64 from float64 tables, which the reference takes.

    Raises:
        IndexError: an id is outside its table; names feature, position and id.
        SoftErrorDetected: a bag does not agree with the checksums.
        ValueError: shapes, dtypes or devices do not fit together.
    """
    selected = check_batch(tables, layout, bags, backend, checksums)
    try:
        return selected.implementation.forward(tables, layout, contiguous(bags), checksums)
    except (BadIdError, BadOffsetsError, BadBagError) as error:
        raise_problem(error, layout, bags)


def backward_update(
    tables: Sequence[Tensor],
    states: States,
    layout: Layout,
    bags: Bags,
    grad: Embedded,
    update: Update,
    *,
    backend: Backend = "auto",
) -> None:
    """Apply one optimizer step to the rows that ``bags`` touched, in place.

    Args:
        tables: T tables, fp32, fp16 or bf16.
        states: for each table, its optimizer's states as ``STATES`` lists them: float32, (E, D), or
            (E,) for row-wise Adagrad.
        layout: the tables and features.
        bags: what ``embedding_bag`` was given.
        grad: the gradient of its result.
        update: the optimizer.
        backend: which implementation runs.

    Raises:
        IndexError: an id is outside its table; nothing has been written.
        NonFiniteGradientError: the gradient is NaN or infinite, and ``update`` has it checked.
        ValueError: shapes, dtypes or devices do not fit together; nothing has been written.
    """
    selected = check_batch(tables, layout, bags, backend)
    check_states(tables, states, layout, update)
    grad = check_result(grad, tables, layout, bags)
    if update.check_finite:
        require_finite(grad, layout)
    try:
        selected.implementation.backward_update(tables, states, layout, contiguous(bags), grad, update)
        _count_writes([*tables, *[state for of_table in states for state in of_table]])
    except (BadIdError, BadOffsetsError) as error:
        raise_problem(error, layout, bags)


def _count_writes(tensors: list[Tensor]) -> None:
    """Let autograd know that tensors have changed, so that it refuses to use them as they were."""
    increment_version([tensor for tensor in tensors if not tensor.is_inference()])


def weights_gradient(
    tables: Sequence[Tensor], layout: Layout, bags: Bags, grad: Embedded, *, backend: Backend = "auto"
) -> Tensor:
    """Return the gradient of ``bags.weights``: for each lookup, its row times its place's gradient.

    Takes what ``backward_update`` takes, before that has changed the rows.
    """
    selected = check_batch(tables, layout, bags, backend)
    grad = check_result(grad, tables, layout, bags)
    try:
        return selected.implementation.weights_gradient(tables, layout, contiguous(bags), grad)
    except (BadIdError, BadOffsetsError) as error:
        raise_problem(error, layout, bags)
