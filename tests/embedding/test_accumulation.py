"""Gradients of several lookups as one step: the bits of one lookup of all examples."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hotrow.embedding import EmbeddingTables, FeatureConfig, TableConfig, TableOptimizerConfig
from hotrow.embedding.lookup import Lookup
from hotrow.errors import ConfigError
from hotrow.kernels.embedding_bag import OptimizerKind
from hotrow.types import Jagged

TABLES = (TableConfig(name="t", rows=9, width=4), TableConfig(name="u", rows=5, width=3, format="bf16"))
FEATURES = (
    FeatureConfig(name="a", table="t"),
    FeatureConfig(name="b", table="u", pooling="none", padding=0),
    FeatureConfig(name="c", table="t", pooling="mean"),
    FeatureConfig(name="d", table="t", pooling="none"),
)


def make(
    kind: OptimizerKind = "rowwise_adagrad", features: Sequence[FeatureConfig] = FEATURES
) -> EmbeddingTables:
    config = TableOptimizerConfig(kind=kind, lr=0.1, weight_decay=0.01, clip_norm=0.5)
    return EmbeddingTables(TABLES, features=features, optimizer=config, seed=1)


def example_bags(rng: np.random.Generator, examples: int) -> list[list[list[int]]]:
    """Return ids of each feature's bag of each example."""
    rows = (9, 5, 9, 9)
    return [[rng.integers(0, E, rng.integers(0, 4)).tolist() for _ in range(examples)] for E in rows]


def jagged(bags: list[list[list[int]]], here: slice, *, weighted: bool) -> Jagged:
    chosen = [bag for of_feature in bags for bag in of_feature[here]]
    ids = torch.tensor([one for bag in chosen for one in bag], dtype=torch.int64)
    offsets = torch.tensor(np.concatenate([[0], np.cumsum([len(bag) for bag in chosen])]))
    weights = (1 + ids % 3).float() if weighted else None
    return Jagged(ids, offsets, weights)


def loss_of(found: Lookup, first: int) -> Tensor:
    """Return a loss whose gradients depend on the examples alone."""
    rows = torch.arange(first, first + len(found.pooled), dtype=torch.float32)
    pooled = (found.pooled * (1 + rows[:, None] / 7)).sum()
    return pooled + sum((x.square().sum() for x in found.sequences.values()), torch.zeros(()))


def backward(loss: Tensor) -> None:
    torch.autograd.backward(loss)


@given(
    seed=st.integers(0, 999),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    weighted=st.booleans(),
    kind=st.sampled_from(get_args(OptimizerKind)),
)
def test_pieces_are_one_lookup_to_the_bit(
    seed: int, sizes: list[int], weighted: bool, kind: OptimizerKind
) -> None:
    together, pieces = make(kind), make(kind)
    for step in range(2):
        bags = example_bags(np.random.default_rng((seed, step)), sum(sizes))
        backward(loss_of(together.lookup(jagged(bags, slice(None), weighted=weighted)), 0))
        with pieces.accumulating():
            first = 0
            for size in sizes:
                here = slice(first, first + size)
                backward(loss_of(pieces.lookup(jagged(bags, here, weighted=weighted)), first))
                first += size
    theirs = together.state_dict()
    for name, tensor in pieces.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name
    assert int(theirs["step"]) == 2


def test_one_id_each_and_two_lookups_for_one_loss() -> None:
    features = (FeatureConfig(name="a", table="t"), FeatureConfig(name="b", table="u"))
    ids = torch.tensor([[1, 0], [1, 4], [8, 4], [1, 2]], dtype=torch.int32)
    together, pieces = make("adam", features), make("adam", features)
    backward((together(ids) ** 2).sum())
    with pieces.accumulating():
        backward((pieces(ids[:1]) ** 2).sum() + (pieces(ids[1:]) ** 2).sum())
    for name, tensor in pieces.state_dict().items():
        assert torch.equal(tensor, together.state_dict()[name]), name


def test_weights_of_bags_have_their_gradient() -> None:
    weights = [torch.ones(2, requires_grad=True) for _ in range(2)]
    features = (FeatureConfig(name="a", table="t"), FeatureConfig(name="b", table="u"))
    for tables, of_bags in zip((make(features=features), make(features=features)), weights, strict=True):
        ids = Jagged(torch.tensor([3, 4]), torch.tensor([0, 1, 2]), of_bags)
        if of_bags is weights[0]:
            backward(tables(ids).sum())
        else:
            with tables.accumulating():
                backward(tables(ids).sum())
    assert weights[0].grad is not None
    assert torch.equal(*(each.grad for each in weights if each.grad is not None))


def test_the_rows_stand_still_within_the_block() -> None:
    tables, ids = make(features=FEATURES[:1]), torch.tensor([[3], [3]])
    before = tables.table_weight("t").clone()
    with tables.accumulating():
        backward(tables(ids).sum())
        assert torch.equal(tables.table_weight("t"), before)
        with torch.no_grad():
            tables(ids)
    assert not torch.equal(tables.table_weight("t"), before)
    assert int(tables.state_dict()["step"]) == 1


def test_nothing_happens_without_a_gradient_or_after_an_error() -> None:
    tables, ids = make(features=FEATURES[:1]), torch.tensor([[3]])
    before = tables.table_weight("t").clone()
    with tables.accumulating():
        tables(ids)
    with pytest.raises(KeyError), tables.accumulating():  # noqa: PT012
        backward(tables(ids).sum())
        raise KeyError
    tables.eval()
    with tables.accumulating():
        tables(ids)
    assert torch.equal(tables.table_weight("t"), before)
    assert int(tables.state_dict()["step"]) == 0


def test_what_cannot_be_is_refused() -> None:
    tables, ids = make(features=FEATURES[:1]), torch.tensor([[3]])
    with (
        pytest.raises(RuntimeError, match="accumulating already"),
        tables.accumulating(),
        tables.accumulating(),
    ):
        pass
    with tables.accumulating():
        late = tables(ids).sum()
    with pytest.raises(RuntimeError, match="call backward within the block"):
        backward(late)
    with pytest.raises(ValueError, match="with all of them or none"), tables.accumulating():
        backward(tables(ids).sum() + tables(Jagged(torch.tensor([3]), torch.tensor([0, 1]))).sum())
    plain = EmbeddingTables(TABLES, optimizer=None)
    with pytest.raises(ConfigError, match="with a fused optimizer"), plain.accumulating():
        pass


def test_no_lookup_is_kept_alive() -> None:
    tables = make(features=FEATURES[:1])
    gc.collect()
    gc.disable()
    try:
        with tables.accumulating():
            found = tables(torch.tensor([[3]]))
            backward(found.sum())
        gone = weakref.ref(found)
        del found
        assert gone() is None
    finally:
        gc.enable()
