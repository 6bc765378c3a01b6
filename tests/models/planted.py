"""Small data with a planted rule, and a short training on it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from hotrow.embedding import EmbeddingTables, TableOptimizerConfig
from hotrow.models import ModelConfig, RankingModel, build_model
from hotrow.types import Batch, Inputs, Jagged, ListInput

INPUTS = Inputs(num_dense=3, names=("user", "item", "place"), rows=(8, 12, 5))
WITH_LISTS = Inputs(
    num_dense=3,
    names=("user", "item", "place"),
    rows=(8, 12, 5),
    lists=(
        ListInput(name="history", kind="sequence", table="item", rows=12, length=3),
        ListInput(name="tags", kind="bag", table="tags", rows=6, length=2, pooling="sum"),
    ),
)
"""The same with a sequence that shares the items' table and a bag with a table of its own."""

MakeBatch = Callable[[Inputs, int, int], Batch]


def make_model(name: str, config: ModelConfig, *, seed: int = 0, trained: bool = False) -> RankingModel:
    optimizer = TableOptimizerConfig(kind="rowwise_adagrad", lr=0.1) if trained else None
    tables = EmbeddingTables(config.tables, features=config.features(), optimizer=optimizer, seed=seed)
    return build_model(name, config, tables, seed=seed)


def draw(inputs: Inputs, size: int, seed: int) -> Batch:
    """Draw examples without labels; list features have 0 to 3 ids."""
    generator = torch.Generator().manual_seed(seed)
    dense = torch.randn(size, inputs.num_dense, generator=generator)
    ids = [torch.randint(0, rows, (size,), generator=generator) for rows in inputs.rows]
    lists = None
    if inputs.lists:
        lengths = torch.randint(0, 4, (len(inputs.lists) * size,), generator=generator)
        counts = lengths.view(len(inputs.lists), size).sum(dim=1).tolist()
        pairs = zip(inputs.lists, counts, strict=True)
        drawn = [torch.randint(0, feature.rows, (count,), generator=generator) for feature, count in pairs]
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        lists = Jagged(torch.cat(drawn).int(), offsets)
    return Batch(dense, torch.stack(ids, dim=1).int(), lists=lists)


def crossed(inputs: Inputs, size: int, seed: int) -> Batch:
    """Draw examples whose label is whether the parities of user and item agree: no sum of effects."""
    batch = draw(inputs, size, seed)
    labels = ((batch.ids[:, 0] + batch.ids[:, 1]) % 2 == 0).float()
    return Batch(batch.dense, batch.ids, labels, batch.lists)


def added(inputs: Inputs, size: int, seed: int) -> Batch:
    """Draw examples whose label is the sign of a sum of effects of a user and a dense feature."""
    batch = draw(inputs, size, seed)
    labels = (batch.dense[:, 0] + (batch.ids[:, 0] % 2) * 2.0 > 1.0).float()
    return Batch(batch.dense, batch.ids, labels, batch.lists)


def accuracy(
    name: str, config: ModelConfig, make_batch: MakeBatch, *, steps: int = 150, rate: float = 3e-3
) -> float:
    """Train for some steps and return the share of unseen examples on the right side of 0 (all tasks)."""
    model = make_model(name, config, trained=True)
    optimizer = torch.optim.Adam([parameter for _, parameter in model.dense_parameters()], lr=rate)
    inputs = config.inputs()
    for step in range(steps):
        batch = make_batch(inputs, 128, step)
        assert batch.labels is not None
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(model(batch), batch.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return share_right(model, make_batch(inputs, 1000, 10_000))


def share_right(model: RankingModel, batch: Batch) -> float:
    assert batch.labels is not None
    with torch.no_grad():
        logits: Tensor = model(batch)
    return ((logits > 0) == (batch.labels > 0)).float().mean().item()
