"""State dicts, copies, pickles and conversions."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch

from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig
from hotrow.errors import ConfigError, NonFiniteGradientError
from hotrow.kernels.embedding_bag import STATES, OptimizerKind
from hotrow.kernels.row_formats import RowFormat

FORMATS: list[RowFormat] = ["fp32", "fp16", "bf16"]
TABLES = [TableConfig(name=name, rows=40, width=9 + i, format=name) for i, name in enumerate(FORMATS)]


def make(kind: OptimizerKind, seed: int = 0, **options: Any) -> EmbeddingTables:
    return EmbeddingTables(TABLES, optimizer=TableOptimizerConfig(kind=kind, lr=0.1, **options), seed=seed)


def train(tables: EmbeddingTables, first: int, last: int) -> None:
    for step in range(first, last):
        generator = torch.Generator().manual_seed(step)
        ids = torch.randint(0, 40, (60, 3), generator=generator)
        (tables(ids) * torch.randn(60, 30, generator=generator)).sum().backward()


def same(one: EmbeddingTables, other: EmbeddingTables) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return list(mine) == list(theirs) and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("kind", STATES)
def test_a_loaded_state_continues_with_the_same_bits(kind: OptimizerKind) -> None:
    """The step counts too: for Adam's correction and for the stream of the rounding."""
    whole, first, second = make(kind), make(kind), make(kind, seed=9)
    train(whole, 0, 6)
    train(first, 0, 3)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file))
    assert int(second.state_dict()["step"]) == 3
    train(second, 3, 6)
    assert same(whole, second)


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
@pytest.mark.parametrize("kind", STATES)
def test_copies_are_apart_and_continue_with_the_same_bits(kind: OptimizerKind, how: str) -> None:
    original = make(kind)
    train(original, 0, 2)
    original.set_learning_rate(0.05)
    copied = copy.deepcopy(original) if how == "deepcopy" else pickle.loads(pickle.dumps(original))
    assert copied.learning_rate == 0.05
    assert same(original, copied)
    before = {name: tensor.clone() for name, tensor in original.state_dict().items()}
    train(copied, 2, 4)
    assert all(torch.equal(before[name], tensor) for name, tensor in original.state_dict().items())
    assert not same(original, copied)
    train(original, 2, 4)
    assert same(original, copied)


def test_a_copy_of_unfused_tables_has_parameters_of_its_own() -> None:
    original = EmbeddingTables(TABLES, optimizer=None)
    copied = copy.deepcopy(original)
    assert not {id(p) for p in original.parameters()} & {id(p) for p in copied.parameters()}
    copied(torch.tensor([[1, 2, 3]])).sum().backward()
    assert all(parameter.grad is None for parameter in original.parameters())


def test_a_refused_gradient_leaves_all_of_the_state() -> None:
    tables = make("adam", check_gradients=True)
    train(tables, 0, 2)
    before = {name: tensor.clone() for name, tensor in tables.state_dict().items()}
    with pytest.raises(NonFiniteGradientError, match="table fp32: "):
        (tables(torch.tensor([[1, 2, 3]])) * float("nan")).sum().backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in tables.state_dict().items())


@pytest.mark.parametrize("kind", STATES)
def test_from_weights_trains_in_place(kind: OptimizerKind) -> None:
    """As tables of the same weights do that the module made itself."""
    made = make(kind)
    weights = {table.name: made.table_weight(table.name).clone() for table in TABLES}
    config = TableOptimizerConfig(kind=kind, lr=0.1)
    adopted = EmbeddingTables.from_weights(TABLES, weights, optimizer=config)
    train(made, 0, 3)
    train(adopted, 0, 3)
    assert same(made, adopted)
    for table in TABLES:
        assert torch.equal(weights[table.name], made.table_weight(table.name))


def test_from_weights_without_an_optimizer_only_looks_up() -> None:
    weights = {table.name: make("sgd").table_weight(table.name) for table in TABLES}
    served = EmbeddingTables.from_weights(TABLES, weights)
    assert list(served.parameters()) == []
    assert not served(torch.tensor([[1, 2, 3]])).requires_grad


@pytest.mark.parametrize("lr", [-1.0, float("nan"), float("inf")])
def test_learning_rates_that_are_none_are_refused(lr: float) -> None:
    tables = make("sgd")
    with pytest.raises(ConfigError, match="lr: got"):
        tables.set_learning_rate(lr)
    assert tables.learning_rate == 0.1
