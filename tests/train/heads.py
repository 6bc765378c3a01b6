"""A small model of as many tasks as it is told to learn, and data of two labels and groups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig
from hotrow.models import ModelConfig, RankingModel
from hotrow.types import Batch

LABELS = ("click", "buy")
WIDTH = 4


def user_schema() -> Schema:
    """Return a schema of two labels whose rows belong to users."""
    return Schema(
        format="criteo",
        label=LABELS[0],
        more_labels=LABELS[1:],
        dense=(DenseFeature(name="I1"),),
        categorical=tuple(
            CategoricalFeature(name=name, rows=size) for name, size in (("item", 40), ("c", 7))
        ),
        group="user",
    )


def history_schema(items: int = 40) -> Schema:
    """Return that schema with each user's history of items, whose table has ``items`` rows."""
    schema = user_schema()
    item = replace(schema.categorical[0], rows=items)
    history = ListFeature(name="history", kind="sequence", rows=items, of="item", key_type=item.key_type)
    return replace(schema, categorical=(item, *schema.categorical[1:]), lists=(history,))


@dataclass(frozen=True, kw_only=True)
class HeadsConfig(ModelConfig):
    """Sizes of the model."""

    paper: ClassVar[str] = ""

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP of the heads."""
        weights = len(self.tasks) * (self.num_dense + self.num_categorical * WIDTH)
        return weights, 2 * weights


class Heads(RankingModel):
    """A linear function of dense features and embeddings for each task.

    Args:
        config: sizes.
        embeddings: the tables.
        aux: an auxiliary loss of each example, in nats; None for none.
    """

    def __init__(self, config: HeadsConfig, embeddings: nn.Module, *, aux: float | None = None) -> None:
        super().__init__(config, embeddings)
        size = config.num_dense + config.num_categorical * WIDTH
        values = torch.randn(len(config.tasks), size, generator=torch.Generator().manual_seed(7))
        self.weight = nn.Parameter(values * 0.3)
        self.aux = aux

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) or (B, K)."""
        x = torch.cat([batch.dense, self.embed(batch).pooled], dim=1)
        return (x @ self.weight.t()).squeeze(1) if len(self.tasks) == 1 else x @ self.weight.t()

    def training_output(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return logits and, as an auxiliary loss, a number for each example times the sum of the weights."""
        aux = None if self.aux is None else self.aux * len(batch) * self.weight.sum()
        return self(batch), aux


def make_heads(
    tasks: tuple[str, ...], *, optimizer: TableOptimizerConfig | None = None, aux: float | None = None
) -> Heads:
    """Return the model for the data of ``user_schema``."""
    tables = tuple(TableConfig(name=name, rows=size, width=WIDTH) for name, size in (("item", 40), ("c", 7)))
    config = HeadsConfig(tables=tables, num_dense=1, tasks=tasks)
    embeddings = EmbeddingTables(tables, features=config.features(), optimizer=optimizer, seed=1)
    return Heads(config, embeddings, aux=aux)
