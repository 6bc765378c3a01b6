"""Tables as parameters, stepped by torch.optim."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn

from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig

pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # torch.optim.Adagrad
TABLES = [TableConfig(name="a", rows=30, width=8), TableConfig(name="b", rows=11, width=5)]
Make = Callable[[Iterable[Tensor]], torch.optim.Optimizer]
OPTIMIZERS: list[tuple[TableOptimizerConfig, Make]] = [
    (TableOptimizerConfig(kind="sgd", lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    (TableOptimizerConfig(kind="adagrad", lr=0.1, eps=1e-10), lambda p: torch.optim.Adagrad(p, lr=0.1)),
    (TableOptimizerConfig(kind="adam", lr=0.1), lambda p: torch.optim.SparseAdam(p, lr=0.1)),
]


@pytest.mark.parametrize(("config", "make"), OPTIMIZERS, ids=["sgd", "adagrad", "sparse adam"])
def test_as_the_fused_tables(config: TableOptimizerConfig, make: Make) -> None:
    fused, unfused = EmbeddingTables(TABLES, optimizer=config), EmbeddingTables(TABLES, optimizer=None)
    optimizer = make(unfused.parameters())
    for step in range(20):
        generator = torch.Generator().manual_seed(step)
        ids = torch.stack([torch.randint(0, t.rows, (9,), generator=generator) for t in TABLES], dim=1)
        direction = torch.randn(9, 13, generator=generator)
        (fused(ids) * direction).sum().backward()
        optimizer.zero_grad()
        (unfused(ids) * direction).sum().backward()
        optimizer.step()
    for table in TABLES:
        torch.testing.assert_close(
            unfused.table_weight(table.name), fused.table_weight(table.name), rtol=1e-4, atol=1e-5
        )


def test_as_torchs_embedding_bag() -> None:
    tables = EmbeddingTables(TABLES[:1], optimizer=None)
    torchs = nn.EmbeddingBag(30, 8, mode="sum", sparse=True)
    with torch.no_grad():
        torchs.weight.copy_(tables.table_weight("a"))
    ids, direction = torch.randint(0, 30, (12, 1)), torch.randn(12, 8)
    (tables(ids) * direction).sum().backward()
    (torchs(ids) * direction).sum().backward()
    gradient = next(tables.parameters()).grad
    assert gradient is not None
    assert torchs.weight.grad is not None
    torch.testing.assert_close(gradient.to_dense(), torchs.weight.grad.to_dense())
