"""The optimizers beside those of torch.optim, when every row is touched at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from tests.kernels.embedding_bag.problems import BACKENDS
from torch import Tensor

from hotrow.kernels import BackendName
from hotrow.kernels.embedding_bag import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    TableSpec,
    Update,
    backward_update,
    sparse_embedding_bag,
)
from hotrow.kernels.embedding_bag._types import STATES

ROWS, WIDTH, LR = 11, 13, 0.03
Make = Callable[[Iterable[Tensor]], torch.optim.Optimizer]
DENSE: dict[str, tuple[Update, Make]] = {
    "sgd": (Update(kind="sgd", lr=LR), lambda p: torch.optim.SGD(p, lr=LR)),
    "sgd with l2": (
        Update(kind="sgd", lr=LR, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=LR, weight_decay=0.1),
    ),
    "momentum": (Update(kind="momentum", lr=LR), lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9)),
    "adagrad": (Update(kind="adagrad", lr=LR, eps=1e-10), lambda p: torch.optim.Adagrad(p, lr=LR)),
    "adagrad with l2": (
        Update(kind="adagrad", lr=LR, eps=1e-10, weight_decay=0.1),
        lambda p: torch.optim.Adagrad(p, lr=LR, weight_decay=0.1),
    ),
    "adam": (Update(kind="adam", lr=LR), lambda p: torch.optim.Adam(p, lr=LR)),
    "adam with l2": (
        Update(kind="adam", lr=LR, weight_decay=0.1),
        lambda p: torch.optim.Adam(p, lr=LR, weight_decay=0.1),
    ),
    "adamw": (
        Update(kind="adam", lr=LR, weight_decay=0.1, decay="decoupled"),
        lambda p: torch.optim.AdamW(p, lr=LR, weight_decay=0.1),
    ),
    "adam with other betas": (
        Update(kind="adam", lr=LR, beta1=0.5, beta2=0.9999),
        lambda p: torch.optim.Adam(p, lr=LR, betas=(0.5, 0.9999)),
    ),
}


def at_step(update: Update, step: int) -> Update:
    return Update(**{**{name: getattr(update, name) for name in Update.__dataclass_fields__}, "step": step})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", DENSE)
def test_as_the_dense_optimizer(backend: BackendName, name: str) -> None:
    update, make = DENSE[name]
    layout = Layout((TableSpec("t", ROWS, WIDTH),), (FeatureSpec("f", 0),))
    ids = torch.arange(2 * ROWS).unsqueeze(1) % ROWS
    table = torch.randn(ROWS, WIDTH)
    dense = table.clone().requires_grad_()
    optimizer = make([dense])
    states = [[torch.zeros(ROWS, WIDTH) for _ in STATES[update.kind]]]
    for step in range(1, 101):
        grad = torch.randn(2 * ROWS, WIDTH)
        gradient = Embedded(grad, torch.zeros(0))
        arguments = ([table], states, layout, Bags(ids, None, 1), gradient, at_step(update, step))
        backward_update(*arguments, backend=backend)
        dense.grad = grad[:ROWS] + grad[ROWS:]
        optimizer.step()
    torch.testing.assert_close(table, dense.detach(), rtol=1e-4, atol=1e-5)


SPARSE: dict[str, tuple[Update, Make]] = {
    "sgd": DENSE["sgd"],
    "adagrad": DENSE["adagrad"],
    "adam": (DENSE["adam"][0], lambda p: torch.optim.SparseAdam(p, lr=LR)),
}


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # torch.optim.Adagrad makes such tensors
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SPARSE)
def test_as_the_sparse_optimizer(backend: BackendName, name: str) -> None:
    """Only some rows are touched at each step; torch gets the sparse gradients of this package."""
    update, make = SPARSE[name]
    layout = Layout((TableSpec("t", ROWS, WIDTH),), (FeatureSpec("f", 0),))
    table = torch.randn(ROWS, WIDTH)
    parameter = table.clone().requires_grad_()
    optimizer = make([parameter])
    states = [[torch.zeros(ROWS, WIDTH) for _ in STATES[update.kind]]]
    for step in range(1, 101):
        bags = Bags(torch.randint(0, ROWS, (5, 1)), None, 1)
        grad = torch.randn(5, WIDTH)
        gradient = Embedded(grad, torch.zeros(0))
        backward_update([table], states, layout, bags, gradient, at_step(update, step), backend=backend)
        optimizer.zero_grad()
        result = sparse_embedding_bag([parameter], layout, bags, backend=backend)
        torch.autograd.backward(result.pooled, grad)
        optimizer.step()
    torch.testing.assert_close(table, parameter.detach(), rtol=1e-4, atol=1e-5)
