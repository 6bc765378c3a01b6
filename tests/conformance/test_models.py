"""What every registered model must do; a new preset is tested by being registered."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from hotrow.embedding import EmbeddingTables, TableOptimizerConfig
from hotrow.models import RankingModel, build_model, preset, presets
from hotrow.types import Batch, Inputs

INPUTS = Inputs(num_dense=5, names=("user", "ad", "place", "flag"), rows=(50, 40, 23, 2))
LR = 0.05

pytestmark = pytest.mark.parametrize("name", presets())


def make_model(name: str, *, seed: int = 0) -> tuple[RankingModel, EmbeddingTables]:
    config = preset(name, INPUTS)
    optimizer = TableOptimizerConfig(kind="rowwise_adagrad", lr=LR)
    tables = EmbeddingTables(config.tables, optimizer=optimizer, seed=seed)
    return build_model(name, config, tables, seed=seed), tables


def make_batch(size: int, seed: int = 0) -> Batch:
    """Draw examples whose label is planted: one dense feature and the parity of one id decide it."""
    generator = torch.Generator().manual_seed(seed)
    dense = torch.randn(size, INPUTS.num_dense, generator=generator)
    ids = [torch.randint(0, rows, (size,), generator=generator) for rows in INPUTS.rows]
    labels = ((dense[:, 0] + (ids[0] % 2) * 2.0 - 1.0) > 0).float()
    return Batch(dense, torch.stack(ids, dim=1).int(), labels)


def step(model: RankingModel, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    assert batch.labels is not None
    optimizer.zero_grad()
    loss = binary_cross_entropy_with_logits(model(batch), batch.labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


def train(name: str, *, steps: int, seed: int = 0) -> tuple[RankingModel, list[float]]:
    model, _ = make_model(name, seed=seed)
    optimizer = torch.optim.Adam([parameter for _, parameter in model.dense_parameters()], lr=3e-3)
    return model, [step(model, optimizer, make_batch(128, seed=index)) for index in range(steps)]


def logits(model: RankingModel, batch: Batch) -> Tensor:
    with torch.no_grad():
        out: Tensor = model(batch)
    return out


@pytest.mark.parametrize("size", [0, 1, 7])
def test_one_finite_logit_for_each_example(name: str, size: int) -> None:
    out = logits(make_model(name)[0], make_batch(size))
    assert out.shape == (size,)
    assert out.dtype == torch.float32
    assert out.isfinite().all()


def test_gradient_reaches_every_parameter_and_every_touched_row(name: str) -> None:
    model, tables = make_model(name)
    before = {table.name: tables.table_weight(table.name).clone() for table in tables.tables}
    batch = make_batch(20)
    model(batch).square().sum().backward()
    for parameter_name, parameter in model.dense_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name
    for column, table in enumerate(tables.tables):
        is_touched = torch.zeros(table.rows, dtype=torch.bool)
        is_touched[batch.ids[:, column].long()] = True
        is_changed = (tables.table_weight(table.name) != before[table.name]).any(dim=1)
        assert torch.equal(is_changed, is_touched), table.name


def test_same_seed_gives_the_same_bits(name: str) -> None:
    first, losses = train(name, steps=3, seed=4)
    second, same_losses = train(name, steps=3, seed=4)
    assert losses == same_losses
    for key, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[key]), key


def test_another_seed_gives_another_model(name: str) -> None:
    batch = make_batch(9)
    assert not torch.equal(
        logits(make_model(name, seed=1)[0], batch), logits(make_model(name, seed=2)[0], batch)
    )


def test_building_leaves_the_global_generator_alone(name: str) -> None:
    before = torch.get_rng_state()
    make_model(name)
    assert torch.equal(before, torch.get_rng_state())


def test_state_dict_round_trip(name: str, tmp_path: Path) -> None:
    model, _ = train(name, steps=2)
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other, _ = make_model(name, seed=9)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    batch = make_batch(33)
    assert torch.equal(logits(model, batch), logits(other, batch))


def test_examples_do_not_depend_on_their_batch(name: str) -> None:
    model, _ = make_model(name)
    batch = make_batch(50)
    parts = [Batch(batch.dense[part], batch.ids[part]) for part in (slice(0, 1), slice(1, 20), slice(20, 50))]
    torch.testing.assert_close(torch.cat([logits(model, part) for part in parts]), logits(model, batch))


def test_does_not_change_its_batch(name: str) -> None:
    batch, same = make_batch(11), make_batch(11)
    make_model(name)[0](batch).sum().backward()
    assert torch.equal(batch.dense, same.dense)
    assert torch.equal(batch.ids, same.ids)


def test_learns_a_planted_rule(name: str) -> None:
    model, losses = train(name, steps=100)
    batch = make_batch(2000, seed=10_000)
    assert batch.labels is not None
    accuracy = ((logits(model, batch) > 0) == (batch.labels > 0)).float().mean()
    assert accuracy > 0.9
    assert losses[-1] < losses[0] / 2
