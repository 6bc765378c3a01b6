"""Features apart from tables: sharing, pooling, sequences, padding."""

from __future__ import annotations

import pytest
import torch

from hotrow.embedding import EmbeddingTables, FeatureConfig, TableConfig, TableOptimizerConfig
from hotrow.errors import ConfigError
from hotrow.kernels import available_backends
from hotrow.types import Jagged

TABLES = [TableConfig(name="user", rows=30, width=8), TableConfig(name="ad", rows=11, width=5)]
FEATURES = [
    FeatureConfig(name="history", table="ad", pooling="none", padding=-1),
    FeatureConfig(name="user", table="user"),
    FeatureConfig(name="clicked", table="ad", pooling="mean"),
    FeatureConfig(name="friends", table="user", pooling="none"),
]
IDS = torch.tensor([3, -1, 4, 7, 8, 0, 1, 2, 29, 28])
OFFSETS = torch.tensor([0, 2, 3, 4, 5, 8, 8, 8, 10])  # history 2+1, user 1+1, clicked 3+0, friends 0+2


@pytest.mark.parametrize("backend", [b for b in available_backends("embedding_bag") if b != "triton"])
def test_lookup_gives_pooled_and_sequences(backend: str) -> None:
    tables = EmbeddingTables(TABLES, features=FEATURES, optimizer=None, backend=backend)  # type: ignore[arg-type]
    user, ad = tables.table_weight("user"), tables.table_weight("ad")
    found = tables.lookup(Jagged(IDS, OFFSETS))
    assert list(found.sequences) == ["history", "friends"]
    history = torch.stack([ad[3], torch.zeros(5), ad[4]])
    assert torch.equal(found.sequences["history"], history)
    assert torch.equal(found.sequences["friends"], user[[29, 28]])
    pooled = torch.cat([user[[7, 8]], torch.stack([ad[:3].mean(dim=0), torch.zeros(5)])], dim=1)
    torch.testing.assert_close(found.pooled, pooled)


@pytest.mark.parametrize("kind", ["sgd", None])
def test_gradients_of_sequences_and_pooled_reach_a_shared_table(kind: str | None) -> None:
    optimizer = None if kind is None else TableOptimizerConfig(kind="sgd", lr=1.0)
    tables = EmbeddingTables(TABLES, features=FEATURES, optimizer=optimizer)
    before = tables.table_weight("ad").clone()
    found = tables.lookup(Jagged(IDS, OFFSETS))
    torch.autograd.backward(found.sequences["history"].sum() + 3 * found.pooled.sum())
    expected = torch.zeros(11, 5)
    expected[[0, 1, 2]] = 1.0  # 3 of each example's mean of three
    expected[[3, 4]] = 1.0
    if kind is None:
        gradient = dict(tables.named_parameters())["weight_1"].grad
        assert gradient is not None
        torch.testing.assert_close(gradient.to_dense(), expected)
    else:
        torch.testing.assert_close(before - tables.table_weight("ad"), expected)


def test_one_id_per_bag_has_sequences_of_one() -> None:
    tables = EmbeddingTables(TABLES, features=FEATURES, optimizer=None)
    found = tables.lookup(torch.tensor([[1, 2, 3, 4], [-1, 6, 7, 8]]))
    assert torch.equal(
        found.sequences["history"], torch.stack([tables.table_weight("ad")[1], torch.zeros(5)])
    )
    assert torch.equal(found.sequences["friends"], tables.table_weight("user")[[4, 8]])


def test_calling_with_a_sequence_is_refused() -> None:
    tables = EmbeddingTables(TABLES, features=FEATURES, optimizer=None)
    with pytest.raises(ValueError, match="feature history has no pooling"):
        tables(Jagged(IDS, OFFSETS))


def test_features_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"features\.x\.table: got 'who', expected one of user, ad"):
        EmbeddingTables(TABLES, features=[FeatureConfig(name="x", table="who")], optimizer=None)
    with pytest.raises(ValueError, match="different names"):
        EmbeddingTables(TABLES, features=[FeatureConfig(name="x", table="ad")] * 2, optimizer=None)
    with pytest.raises(ConfigError, match="pooling"):
        FeatureConfig(name="x", table="ad", pooling="max")  # type: ignore[arg-type]


def test_a_table_without_a_feature_stays() -> None:
    config = TableOptimizerConfig(kind="adam", lr=1.0)
    tables = EmbeddingTables(TABLES, features=[FeatureConfig(name="x", table="ad")], optimizer=config)
    before = tables.table_weight("user").clone()
    tables(torch.tensor([[1]])).sum().backward()
    assert torch.equal(tables.table_weight("user"), before)


def test_rows_that_cannot_be_trained_take_no_optimizer() -> None:
    table = TableConfig(name="t", rows=4, width=8, format="int8")
    rows = {"t": torch.zeros(4, 16, dtype=torch.uint8)}
    with pytest.raises(ConfigError, match=r"tables\.t\.format: got 'int8', expected fp32, fp16, bf16"):
        EmbeddingTables.from_weights([table], rows, optimizer=TableOptimizerConfig())


def test_weights_that_are_not_contiguous_are_not_adopted() -> None:
    table = TableConfig(name="t", rows=4, width=8)
    with pytest.raises(ValueError, match="weight of table t: expected a contiguous tensor"):
        EmbeddingTables.from_weights([table], {"t": torch.zeros(8, 4).T})
