from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig
from hotrow.errors import ConfigError
from hotrow.kernels import available_backends, record_paths
from hotrow.types import Jagged

TABLES = [
    TableConfig(name="user", rows=30, width=8),
    TableConfig(name="ad.id", rows=11, width=16),
    TableConfig(name="keys", rows=3, width=5),
]
SGD = TableOptimizerConfig(kind="sgd", lr=0.1)
ADAGRAD = TableOptimizerConfig(kind="rowwise_adagrad", lr=0.1)


def draw_ids(batch: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(0, t.rows, (batch,), generator=generator) for t in TABLES], dim=1).int()


def as_jagged(ids_BT: Tensor) -> Jagged:
    return Jagged(ids_BT.T.reshape(-1), torch.arange(ids_BT.numel() + 1))


def test_looks_up_rows_side_by_side() -> None:
    tables = EmbeddingTables(TABLES, optimizer=SGD)
    ids = draw_ids(7)
    expected = torch.cat([tables.table_weight(t.name)[ids[:, i]] for i, t in enumerate(TABLES)], dim=1)
    with torch.no_grad():
        assert torch.equal(tables(ids), expected)
        assert torch.equal(tables(ids.long()), expected)
        assert torch.equal(tables(as_jagged(ids)), expected)


def test_bags_are_summed_and_empty_bags_are_zero() -> None:
    tables = EmbeddingTables(TABLES[:1], optimizer=None)
    out = tables(Jagged(torch.tensor([4, 4, 9]), torch.tensor([0, 3, 3])))
    weight = tables.table_weight("user")
    torch.testing.assert_close(out[0], 2 * weight[4] + weight[9])
    assert out[1].tolist() == [0.0] * 8


@pytest.mark.parametrize("backend", available_backends("embedding_bag"))
def test_backward_updates_as_dense_sgd(backend: str) -> None:
    tables = EmbeddingTables(TABLES, optimizer=SGD, backend=backend)  # type: ignore[arg-type]
    ids = draw_ids(40)
    dense = [nn.Parameter(tables.table_weight(table.name).clone()) for table in TABLES]
    direction = torch.randn(40, 29)
    with record_paths() as paths:
        (tables(ids) * direction).sum().backward()
    assert paths == [("embedding_bag_forward", backend), ("embedding_bag_backward", backend)]
    assert tables.backend == backend
    torch.autograd.backward((torch.cat([w[ids[:, i]] for i, w in enumerate(dense)], dim=1) * direction).sum())
    torch.optim.SGD(dense, lr=0.1).step()
    for table, weight in zip(TABLES, dense, strict=True):
        torch.testing.assert_close(tables.table_weight(table.name), weight.detach())


def test_width_one_rowwise_adagrad_is_torch_adagrad() -> None:
    config = [TableConfig(name="t", rows=20, width=1)]
    tables = EmbeddingTables(config, optimizer=TableOptimizerConfig(kind="rowwise_adagrad", lr=0.1, eps=1e-6))
    weight = nn.Parameter(tables.table_weight("t").clone())
    adagrad = torch.optim.Adagrad([weight], lr=0.1, eps=1e-6)
    for step in range(5):
        ids = torch.randint(0, 20, (30, 1), generator=torch.Generator().manual_seed(step))
        direction = torch.randn(30, 1)
        (tables(ids) * direction).sum().backward()
        adagrad.zero_grad()
        torch.autograd.backward((weight[ids[:, 0]] * direction).sum())
        adagrad.step()
    torch.testing.assert_close(tables.table_weight("t"), weight.detach())


def test_learning_rate_is_read_in_backward() -> None:
    tables = EmbeddingTables(TABLES, optimizer=SGD)
    before = tables.table_weight("user").clone()
    loss = tables(draw_ids(4)).sum()
    tables.set_learning_rate(0.0)
    loss.backward()
    assert torch.equal(tables.table_weight("user"), before)
    assert tables.learning_rate == 0.0


def test_without_optimizer_gradients_are_sparse_and_right() -> None:
    tables = EmbeddingTables(TABLES, optimizer=None)
    ids = draw_ids(50)
    direction = torch.randn(50, 29)
    (tables(ids) * direction).sum().backward()
    parameters = list(tables.parameters())
    assert len(parameters) == 3
    dense = [nn.Parameter(p.detach().clone()) for p in parameters]
    torch.autograd.backward((torch.cat([w[ids[:, i]] for i, w in enumerate(dense)], dim=1) * direction).sum())
    for parameter, expected in zip(parameters, dense, strict=True):
        assert parameter.grad is not None
        assert parameter.grad.is_sparse
        assert expected.grad is not None
        torch.testing.assert_close(parameter.grad.to_dense(), expected.grad)
    torch.optim.SGD(parameters, lr=0.1).step()


def test_fused_tables_are_not_parameters() -> None:
    assert list(EmbeddingTables(TABLES, optimizer=ADAGRAD).parameters()) == []


def test_start_is_reproducible_and_of_dlrm_range() -> None:
    first, second = (
        EmbeddingTables(TABLES, optimizer=SGD, seed=3),
        EmbeddingTables(TABLES[::-1], optimizer=None, seed=3),
    )
    other = EmbeddingTables(TABLES, optimizer=SGD, seed=4)
    for table in TABLES:
        weight = first.table_weight(table.name)
        assert torch.equal(weight, second.table_weight(table.name))
        assert not torch.equal(weight, other.table_weight(table.name))
        bound = table.rows**-0.5
        assert weight.abs().max() <= bound
        assert weight.abs().max() > 0.8 * bound
    assert not torch.equal(first.table_weight("user")[:3, :5], first.table_weight("keys"))


def test_start_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    EmbeddingTables(TABLES, optimizer=SGD)
    assert torch.equal(before, torch.get_rng_state())


def test_state_dict_is_by_table_name_and_comes_back() -> None:
    tables = nn.ModuleDict({"emb": EmbeddingTables(TABLES, optimizer=ADAGRAD, seed=1)})
    tables["emb"](draw_ids(9)).sum().backward()
    state = tables.state_dict()
    assert list(state) == [
        *("emb.tables.user.weight", "emb.tables.ad.id.weight", "emb.tables.keys.weight"),
        *("emb.tables.user.accumulator", "emb.tables.ad.id.accumulator", "emb.tables.keys.accumulator"),
        "emb.step",
    ]
    assert state["emb.tables.user.accumulator"].sum() > 0
    other = nn.ModuleDict({"emb": EmbeddingTables(TABLES, optimizer=ADAGRAD, seed=2)})
    other.load_state_dict(state)
    assert all(torch.equal(state[name], tensor) for name, tensor in other.state_dict().items())


def test_state_dict_without_optimizer_is_the_parameters() -> None:
    tables = EmbeddingTables(TABLES, optimizer=None, seed=1)
    other = EmbeddingTables(TABLES, optimizer=None, seed=2)
    other.load_state_dict(tables.state_dict())
    assert torch.equal(other.table_weight("keys"), tables.table_weight("keys"))
    assert isinstance(other.state_dict(keep_vars=True)["tables.keys.weight"], nn.Parameter)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("tables.user.weight"), "Missing key.*tables.user.weight"),
        (
            lambda state: state.update({"tables.who.weight": torch.zeros(1)}),
            "Unexpected key.*tables.who.weight",
        ),
        (
            lambda state: state.update({"tables.user.weight": torch.zeros(29, 8)}),
            r"size mismatch for tables.user.weight",
        ),
    ],
    ids=["missing", "unexpected", "size"],
)
def test_state_dict_that_does_not_fit_is_refused(change, message: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    tables = EmbeddingTables(TABLES, optimizer=ADAGRAD)
    state = dict(tables.state_dict())
    change(state)
    with pytest.raises(RuntimeError, match=message):
        tables.load_state_dict(state)


def test_adopts_memory_mapped_weights_without_copying(tmp_path: Path) -> None:
    trained = EmbeddingTables(TABLES, optimizer=SGD, seed=5)
    save_file({t.name: trained.table_weight(t.name).contiguous() for t in TABLES}, tmp_path / "t.safetensors")
    weights = load_file(tmp_path / "t.safetensors")
    served = EmbeddingTables.from_weights(TABLES, weights)
    ids = draw_ids(12)
    with torch.no_grad():
        assert torch.equal(served(ids), trained(ids))
    assert served.table_weight("user").data_ptr() == weights["user"].data_ptr()
    assert list(served.parameters()) == []


def test_adopts_read_only_memory(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    np.save(tmp_path / "w.npy", array)
    mapped = np.load(tmp_path / "w.npy", mmap_mode="c")
    served = EmbeddingTables.from_weights(TABLES[:1], {"user": torch.from_numpy(mapped)})
    np.testing.assert_array_equal(served(torch.tensor([[3]]))[0].numpy(), array[3])


def test_weights_of_another_shape_are_not_adopted() -> None:
    with pytest.raises(ValueError, match=r"table user: got torch.float32 \(30, 9\), expected .* \(30, 8\)"):
        EmbeddingTables.from_weights(TABLES[:1], {"user": torch.zeros(30, 9)})
    with pytest.raises(ValueError, match="table user: got none"):
        EmbeddingTables.from_weights(TABLES[:1], {})


def test_bad_id_names_the_table() -> None:
    tables = EmbeddingTables(TABLES, optimizer=SGD)
    with pytest.raises(
        IndexError, match=r"feature ad\.id: id 11 at example 0 is outside table ad\.id of 11 rows"
    ):
        tables(torch.tensor([[0, 11, 0]]))


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="different names"):
        EmbeddingTables([TABLES[0], TABLES[0]], optimizer=None)


def test_unknown_table() -> None:
    with pytest.raises(KeyError, match="who"):
        EmbeddingTables(TABLES, optimizer=None).table_weight("who")


def test_configs_refuse_nonsense() -> None:
    with pytest.raises(ConfigError, match=r"tables.a.rows: got 0, expected at least 1"):
        TableConfig(name="a", rows=0, width=1)
    with pytest.raises(ConfigError, match=r"tables.a.width: got 0"):
        TableConfig(name="a", rows=1, width=0)
    with pytest.raises(ConfigError, match="lr: got nan"):
        TableOptimizerConfig(lr=float("nan"))
    with pytest.raises(ConfigError, match="eps: got -1"):
        TableOptimizerConfig(eps=-1.0)
