"""torch.compile and torch.export: the same bits as without."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.library import opcheck

from hotrow.embedding import EmbeddingTables, FeatureConfig, TableConfig, TableOptimizerConfig
from hotrow.kernels.embedding_bag import Bags, FeatureSpec, Layout, TableSpec, Update, embedding_bag, library
from hotrow.types import Jagged

TABLES = [TableConfig(name="a", rows=50, width=8), TableConfig(name="b", rows=50, width=8)]
BACKENDS = ["eager", "aot_eager", pytest.param("inductor", marks=pytest.mark.slow)]


class Model(nn.Module):
    """Tables under a linear layer."""

    def __init__(
        self, optimizer: TableOptimizerConfig | None, features: list[FeatureConfig] | None = None
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tables = EmbeddingTables(TABLES, features=features, optimizer=optimizer, seed=1)
        self.linear = nn.Linear(16 if features is None else 8, 1)

    def forward(self, ids: Tensor) -> Tensor:
        return self.linear(self.tables(ids)).sum()  # type: ignore[no-any-return]


class JaggedModel(Model):
    """The same for bags."""

    def forward(self, ids: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:  # type: ignore[override]
        return self.linear(self.tables(Jagged(ids, offsets, weights))).sum()  # type: ignore[no-any-return]


class SequenceModel(Model):
    """One feature without pooling."""

    def forward(self, ids: Tensor) -> Tensor:
        found = self.tables.lookup(ids)
        return self.linear(found.pooled + found.sequences["late"]).sum()  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def fresh_compiler() -> None:
    torch.compiler.reset()


def assert_same(one: nn.Module, other: nn.Module) -> None:
    mine, theirs = one.state_dict(), other.state_dict()
    for name in mine:
        assert torch.equal(mine[name], theirs[name]), name


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")  # inductor's own imports
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["sgd", "rowwise_adagrad", "adam"])
def test_training_has_the_same_bits(backend: str, kind: str) -> None:
    config = TableOptimizerConfig(kind=kind, lr=0.1)  # type: ignore[arg-type]
    plain, compiled = Model(config), Model(config)
    run = torch.compile(compiled, fullgraph=True, backend=backend)
    for step in range(4):
        ids = torch.randint(0, 50, (20, 2))
        plain(ids).backward()
        run(ids).backward()
        for model in (plain, compiled):
            model.tables.set_learning_rate(0.1 / (step + 1))
    assert_same(plain, compiled)
    assert int(compiled.tables.state_dict()["step"]) == 4


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_bags_and_their_weights(backend: str) -> None:
    config = TableOptimizerConfig(kind="adam", lr=0.1)
    plain, compiled = JaggedModel(config), JaggedModel(config)
    run = torch.compile(compiled, fullgraph=True, backend=backend)
    ids, offsets = torch.randint(0, 50, (40,)), torch.arange(0, 41)
    mine = torch.rand(40, requires_grad=True)
    theirs = mine.detach().clone().requires_grad_()
    plain(ids, offsets, mine).backward()
    run(ids, offsets, theirs).backward()
    assert mine.grad is not None
    assert theirs.grad is not None
    assert torch.equal(mine.grad, theirs.grad)
    assert_same(plain, compiled)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_sequences(backend: str) -> None:
    config = TableOptimizerConfig(kind="sgd", lr=0.1)
    features = [FeatureConfig(name="now", table="a"), FeatureConfig(name="late", table="b", pooling="none")]
    plain, compiled = SequenceModel(config, features), SequenceModel(config, features)
    run = torch.compile(compiled, fullgraph=True, backend=backend)
    ids = torch.randint(0, 50, (20, 2))
    plain(ids).backward()
    run(ids).backward()
    assert_same(plain, compiled)


def test_a_schedule_and_the_step_do_not_compile_anew() -> None:
    compiles = 0

    def counting(graph: torch.fx.GraphModule, _: list[Tensor]) -> torch.fx.GraphModule:
        nonlocal compiles
        compiles += 1
        return graph

    model = Model(TableOptimizerConfig(kind="adam", lr=0.1))
    run = torch.compile(model, fullgraph=True, backend=counting)
    for step in range(6):
        model.tables.set_learning_rate(0.1 / (step + 1))
        run(torch.randint(0, 50, (20, 2))).backward()
    assert compiles == 1


@pytest.mark.parametrize("optimizer", [None, TableOptimizerConfig(kind="sgd")])
def test_inference_compiles(optimizer: TableOptimizerConfig | None) -> None:
    model = Model(optimizer).eval()
    run = torch.compile(model, fullgraph=True, backend="aot_eager")
    ids = torch.randint(0, 50, (20, 2))
    with torch.no_grad():
        assert torch.equal(run(ids), model(ids))


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # asked for by torch.compile, after the break
def test_unfused_tables_train_with_a_break_in_the_graph() -> None:
    plain, compiled = Model(None), Model(None)
    run = torch.compile(compiled, backend="aot_eager")
    ids = torch.randint(0, 50, (20, 2))
    plain(ids).backward()
    run(ids).backward()
    for mine, theirs in zip(plain.tables.parameters(), compiled.tables.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.equal(mine.grad.to_dense(), theirs.grad.to_dense())


def test_bad_ids_are_named_in_compiled_code() -> None:
    model = Model(TableOptimizerConfig(kind="sgd"))
    run = torch.compile(model, fullgraph=True, backend="aot_eager")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(IndexError, match="feature b: id 50 at example 1 is outside table b of 50 rows"):
        run(torch.tensor([[0, 0], [0, 50]]))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("optimizer", [None, TableOptimizerConfig(kind="adam")])
def test_export(optimizer: TableOptimizerConfig | None) -> None:
    model = Model(optimizer).eval()
    examples = (torch.randint(0, 50, (20, 2)),)
    with torch.no_grad():
        exported = torch.export.export(model, examples, dynamic_shapes=({0: torch.export.Dim("B", min=2)},))
        ids = torch.randint(0, 50, (7, 2))
        torch.testing.assert_close(exported.module()(ids), model(ids))


def test_operators_keep_torchs_rules() -> None:
    specs = tuple(TableSpec(name, 50, 8) for name in "ab")
    plan = Layout(specs, (FeatureSpec("a", 0), FeatureSpec("b", 1, "mean")))
    layout, optimizer = library.layout_text(plan), library.optimizer_text(Update(kind="adam", lr=0.1))
    tables, states = [torch.randn(50, 8) for _ in "ab"], [torch.rand(50, 8) for _ in range(4)]
    ids, offsets, weights = torch.randint(0, 50, (40,)), torch.arange(41), torch.rand(40)
    step, lr = torch.zeros((), dtype=torch.int64), torch.tensor(0.1, dtype=torch.float64)
    bags, result = (ids, offsets, weights), (torch.rand(20, 16), torch.rand(0))
    opcheck(library.embedding_bag, (tables, torch.randint(0, 50, (20, 2)), None, None, layout, "auto"))
    anchor = torch.zeros(1, requires_grad=True)
    opcheck(library.fused_embedding_bag, (anchor, tables, states, step, *bags, lr, layout, optimizer, "auto"))
    opcheck(
        library.embedding_bag_update, (tables, states, step, *bags, *result, lr, layout, optimizer, "auto")
    )
    opcheck(library.embedding_bag_weights_gradient, (tables, *bags, *result, layout, "auto"))
    direct = embedding_bag(tables, plan, Bags(ids, offsets, 2, weights))
    assert torch.equal(library.embedding_bag(tables, *bags, layout, "auto")[0], direct.pooled)


def test_weights_over_tables_for_inference_get_their_gradient() -> None:
    tables = EmbeddingTables.from_weights(TABLES, {"a": torch.randn(50, 8), "b": torch.randn(50, 8)})
    weights = torch.rand(4, requires_grad=True)

    def total(ids: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        return tables(Jagged(ids, offsets, weights)).sum()  # type: ignore[no-any-return]

    arguments = (torch.tensor([1, 2, 3, 4]), torch.arange(5))
    (expected,) = torch.autograd.grad(total(*arguments, weights), weights)
    result = torch.compile(total, backend="aot_eager")(*arguments, weights)
    (gradient,) = torch.autograd.grad(result, weights)
    assert torch.equal(gradient, expected)
