"""Inference tables that watch for flipped bits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hotrow.embedding import EmbeddingTables, FeatureConfig, TableConfig, TableOptimizerConfig
from hotrow.errors import ConfigError, HotrowError, SoftErrorDetected
from hotrow.types import Jagged

TABLES = [TableConfig(name="user", rows=30, width=8), TableConfig(name="ad", rows=11, width=16)]
FEATURES = [
    FeatureConfig(name="who", table="user"),
    FeatureConfig(name="seen", table="ad", pooling="none"),
]


def draw_weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {t.name: torch.randn(t.rows, t.width, generator=generator) for t in TABLES}


def flip(weight: Tensor, row: int) -> None:
    weight[row].view(torch.int32)[0] ^= 1


def test_a_flipped_bit_is_reported_by_feature_table_and_example() -> None:
    weights = draw_weights()
    tables = EmbeddingTables.from_weights(TABLES, weights, checksums=True)
    ids = torch.tensor([[1, 2], [3, 4], [5, 6]])
    before = tables(ids)
    flip(weights["ad"], 6)
    with pytest.raises(SoftErrorDetected, match="table ad: the lookup of example 2 by feature ad") as found:
        tables(ids)
    assert isinstance(found.value, HotrowError)
    assert torch.equal(tables(ids[:2]), before[:2])
    flip(weights["ad"], 6)
    assert torch.equal(tables(ids), before)


def test_nothing_is_raised_without_the_flag() -> None:
    weights = draw_weights()
    tables = EmbeddingTables.from_weights(TABLES, weights)
    flip(weights["ad"], 6)
    tables(torch.tensor([[5, 6]]))
    assert not any("checksums" in name for name, _ in tables.named_buffers())


def test_sequences_are_checked_too() -> None:
    weights = draw_weights()
    tables = EmbeddingTables.from_weights(TABLES, weights, features=FEATURES, checksums=True)
    bags = Jagged(torch.tensor([1, 2, 7, 8, 9]), torch.tensor([0, 1, 2, 2, 5]))
    tables.lookup(bags)
    flip(weights["ad"], 9)
    with pytest.raises(SoftErrorDetected, match="table ad: the lookup of example 1 by feature seen"):
        tables.lookup(bags)


def test_gradients_of_weights_pass_through_checked_lookups() -> None:
    tables = EmbeddingTables.from_weights(TABLES, draw_weights(), checksums=True)
    weights = torch.ones(4, requires_grad=True)
    tables(Jagged(torch.tensor([1, 2, 3, 4]), torch.arange(5), weights)).sum().backward()
    assert weights.grad is not None
    assert torch.isclose(weights.grad[0], tables.table_weight("user")[1].sum())


def test_tables_with_an_optimizer_have_no_checksums() -> None:
    with pytest.raises(
        ConfigError, match="checksums: got True, expected no checksums of tables with an optim"
    ):
        EmbeddingTables.from_weights(
            TABLES, draw_weights(), optimizer=TableOptimizerConfig(kind="sgd"), checksums=True
        )


def test_loaded_weights_get_new_checksums_and_the_state_has_none() -> None:
    tables = nn.ModuleDict({"emb": EmbeddingTables.from_weights(TABLES, draw_weights(), checksums=True)})
    assert list(tables.state_dict()) == ["emb.tables.user.weight", "emb.tables.ad.weight"]
    tables.load_state_dict({name: 2 * tensor for name, tensor in tables.state_dict().items()})
    ids = torch.tensor([[1, 2]])
    tables["emb"](ids)
    flip(tables["emb"].table_weight("ad"), 2)  # type: ignore[operator]
    with pytest.raises(SoftErrorDetected):
        tables["emb"](ids)
