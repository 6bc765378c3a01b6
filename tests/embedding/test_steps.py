"""When backward steps the tables, and when it does not."""

from __future__ import annotations

import pytest
import torch

from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig
from hotrow.errors import ConfigError
from hotrow.types import Jagged

TABLES = [TableConfig(name="t", rows=9, width=4)]
IDS = torch.tensor([[1], [1], [8]])


def make() -> EmbeddingTables:
    return EmbeddingTables(TABLES, optimizer=TableOptimizerConfig(kind="adam", lr=0.1))


def backward(loss: torch.Tensor, **how: bool) -> None:
    torch.autograd.backward(loss, **how)  # type: ignore[arg-type]


def test_nothing_moves_in_evaluation_mode() -> None:
    tables, scale = make().eval(), torch.ones(4, requires_grad=True)
    before = tables.table_weight("t").clone()
    backward((tables(IDS) * scale).sum())
    assert scale.grad is not None
    assert torch.equal(tables.table_weight("t"), before)
    assert int(tables.state_dict()["step"]) == 0
    backward((tables.train()(IDS) * scale).sum())
    assert not torch.equal(tables.table_weight("t"), before)
    assert int(tables.state_dict()["step"]) == 1


def test_one_lookup_steps_once() -> None:
    tables = make()
    loss = tables(IDS).sum()
    backward(loss, retain_graph=True)
    after = tables.table_weight("t").clone()
    with pytest.raises(RuntimeError, match="look up again"):
        backward(loss)
    assert torch.equal(tables.table_weight("t"), after)


def test_two_lookups_step_twice() -> None:
    tables = make()
    backward(tables(IDS).sum() + tables(IDS).sum())
    assert int(tables.state_dict()["step"]) == 2


def test_no_learning_rate_without_an_optimizer() -> None:
    tables = EmbeddingTables(TABLES, optimizer=None)
    with pytest.raises(ConfigError, match="no fused optimizer"):
        tables.set_learning_rate(0.1)


def test_made_and_used_where_another_device_is_the_default() -> None:
    with torch.device("meta"):
        tables = make()
        result = tables(IDS)
    assert result.device.type == "cpu"
    assert torch.equal(result, tables(IDS))


def test_a_state_of_another_kind_of_number_is_not_loaded() -> None:
    tables = EmbeddingTables.from_weights(
        [TableConfig(name="t", rows=9, width=4, format="int8")], {"t": torch.zeros(9, 12, dtype=torch.uint8)}
    )
    with pytest.raises(RuntimeError, match=r"dtype mismatch for tables\.t\.weight"):
        tables.load_state_dict({"tables.t.weight": torch.zeros(9, 12)})


def test_casts_leave_rows_and_states_as_they_are() -> None:
    tables = make()
    torch.nn.ModuleList([tables]).half()
    assert {tensor.dtype for name, tensor in tables.state_dict().items() if name != "step"} == {torch.float32}
    backward(tables(IDS).sum())


def test_weights_get_no_gradient_of_rows_that_have_changed() -> None:
    tables = make()
    weights = [torch.ones(1, requires_grad=True) for _ in range(2)]
    ids, offsets = torch.tensor([1]), torch.tensor([0, 1])
    loss = sum((tables(Jagged(ids, offsets, weight)).sum() for weight in weights), torch.zeros(()))
    with pytest.raises(RuntimeError, match="rows that have been updated since this lookup"):
        backward(loss)


def test_autograd_knows_that_rows_have_changed() -> None:
    tables, x = make(), torch.ones(1, 4, requires_grad=True)
    product = (x @ tables.table_weight("t")[1:2].T).sum()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        backward(product + tables(IDS).sum())
