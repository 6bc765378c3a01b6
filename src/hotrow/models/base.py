"""What every ranking model is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, cast

from torch import Tensor, nn

from hotrow.embedding import TableConfig
from hotrow.kernels.row_formats import RowFormat, row_bytes
from hotrow.types import Batch


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """Sizes and costs, from the configuration alone.

    Attributes:
        parameters: all weights, tables included.
        table_bytes: memory of the tables in the formats they have.
        flop_per_item: floating-point operations of one example's forward (multiply-add = 2): the
            matrix products of the networks and the interactions.
        gathered_bytes_per_item: table bytes read for one example, one id for each feature.
    """

    parameters: int
    table_bytes: int
    flop_per_item: int
    gathered_bytes_per_item: int


class ModelConfig(ABC):
    """Base of the models' frozen configuration dataclasses.

    Attributes:
        paper: where the model is described.
    """

    paper: ClassVar[str]
    tables: tuple[TableConfig, ...]

    @abstractmethod
    def network_facts(self) -> tuple[int, int]:
        """Return parameters and flop_per_item of everything but the tables."""

    @abstractmethod
    def with_width(self, width: int) -> Self:
        """Return the configuration with tables of another width D, and what follows from it."""

    def with_formats(self, formats: Mapping[str, RowFormat]) -> Self:
        """Return the configuration with tables, by name, stored in other formats."""
        tables = tuple(replace(table, format=formats.get(table.name, table.format)) for table in self.tables)
        return cast(Self, replace(cast(Any, self), tables=tables))

    def facts(self) -> ModelFacts:
        """Return the model's sizes and costs."""
        parameters, flop = self.network_facts()
        table_parameters = sum(table.rows * table.width for table in self.tables)
        row_sizes = [row_bytes(table.format, table.width) for table in self.tables]
        return ModelFacts(
            parameters=parameters + table_parameters,
            table_bytes=sum(t.rows * size for t, size in zip(self.tables, row_sizes, strict=True)),
            flop_per_item=flop,
            gathered_bytes_per_item=sum(row_sizes),
        )


class RankingModel(nn.Module, ABC):
    """Maps a batch to one logit for each example.

    Attributes:
        embeddings: the injected tables, (B, T) ids to (B, sum of D).
    """

    embeddings: nn.Module

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""

    def dense_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield name and parameter of the networks: everything but the embedding tables."""
        for name, parameter in self.named_parameters():
            if not name.startswith("embeddings."):
                yield name, parameter
