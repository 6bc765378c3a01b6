"""What every ranking model is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, cast

from torch import Tensor, nn

from hotrow.embedding import EmbeddingTables, FeatureConfig, TableConfig
from hotrow.embedding.lookup import Lookup
from hotrow.errors import ConfigError
from hotrow.kernels.row_formats import RowFormat, row_bytes
from hotrow.layers.bags import all_bags
from hotrow.types import Batch, Inputs, Jagged, ListInput

LINEAR = "linear."
"""What the names of the tables of width 1, of models with a linear part, start with."""


class MisfitError(ConfigError):
    """A model needs inputs that the data does not have.

    Args:
        missing: what it needs, e.g. ``"a sequence feature"``.
    """

    def __init__(self, missing: str) -> None:
        super().__init__("model", None, f"data with {missing}")
        self.missing = missing


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """Sizes and costs, from the configuration alone.

    Attributes:
        parameters: all weights, tables included.
        table_bytes: memory of the tables in the formats they have.
        flop_per_item: floating-point operations of one example's forward (multiply-add = 2): the
            matrix products of the networks and the interactions.
        gathered_bytes_per_item: table bytes read for one example: a row for each categorical feature,
            and as many as its ``length`` for each list feature.
        flop_per_byte: arithmetic intensity: FLOP per gathered byte.
    """

    parameters: int
    table_bytes: int
    flop_per_item: int
    gathered_bytes_per_item: int
    flop_per_byte: float


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ABC):
    """Base of the models' frozen configuration dataclasses.

    Attributes:
        paper: where the model is described.
        looks_at_steps: whether sequences are looked up step by step instead of pooled.
        tables: one for each of the F categorical features, then those of list features that share none,
            each of the name of its feature; then, of models with a linear part, as many again of width 1,
            ``linear.<name>``.
        num_dense: N.
        lists: the M list features.
        tasks: labels that it learns, one logit each.
    """

    paper: ClassVar[str]
    looks_at_steps: ClassVar[bool] = False

    tables: tuple[TableConfig, ...]
    num_dense: int = 0
    lists: tuple[ListInput, ...] = ()
    tasks: tuple[str, ...] = ("label",)

    def __post_init__(self) -> None:
        if not self.tasks:
            raise ConfigError("tasks", self.tasks, "at least one label")
        names = {table.name for table in self.tables}
        for feature in self.lists:
            if self.tables and feature.table not in names:
                raise ConfigError(f"lists.{feature.name}.table", feature.table, f"one of {', '.join(names)}")

    @abstractmethod
    def network_facts(self) -> tuple[int, int]:
        """Return parameters and flop_per_item of everything but the tables."""

    def with_width(self, width: int) -> Self:
        """Return the configuration with tables of another width D, and what follows from it."""
        return replace(self, tables=self.tables_of_width(width))

    def tables_of_width(self, width: int) -> tuple[TableConfig, ...]:
        """Return the tables with another width D; those of a linear part stay."""
        linear = self.tables[len(self.main_tables) :]
        return (*(replace(table, width=width) for table in self.main_tables), *linear)

    @property
    def has_linear(self) -> bool:
        """Whether every table has a second one of width 1, for a linear part."""
        return False

    @property
    def main_tables(self) -> tuple[TableConfig, ...]:
        """The tables without those of a linear part."""
        return self.tables[: len(self.tables) // 2] if self.has_linear else self.tables

    @property
    def num_categorical(self) -> int:
        """F."""
        return len(self.main_tables) - sum(feature.has_own_table for feature in self.lists)

    @property
    def pooled_lists(self) -> tuple[ListInput, ...]:
        """The list features that are pooled when they are looked up."""
        return tuple(f for f in self.lists if not (self.looks_at_steps and f.kind == "sequence"))

    @property
    def step_lists(self) -> tuple[ListInput, ...]:
        """The list features that are looked up step by step."""
        return tuple(f for f in self.lists if self.looks_at_steps and f.kind == "sequence")

    @property
    def num_pooled(self) -> int:
        """Embedding vectors that a lookup pools, one for each feature: F and the pooled ones of M."""
        return self.num_categorical + len(self.pooled_lists)

    @property
    def joined_width(self) -> int:
        """Width of the dense features and all pooled embeddings, without a linear part, side by side."""
        widths = {table.name: table.width for table in self.main_tables}
        pooled = sum(table.width for table in self.main_tables[: self.num_categorical])
        return self.num_dense + pooled + sum(widths[feature.table] for feature in self.pooled_lists)

    def features(self) -> tuple[FeatureConfig, ...]:
        """Return what is looked up, in the order of ``hotrow.layers.bags.all_bags``."""
        names = [table.name for table in self.main_tables[: self.num_categorical]]
        found = [FeatureConfig(name=name, table=name) for name in names]
        for feature in self.lists:
            pooling = feature.pooling if feature in self.pooled_lists else "none"
            found.append(FeatureConfig(name=feature.name, table=feature.table, pooling=pooling))
        if self.has_linear:
            found += [FeatureConfig(name=LINEAR + name, table=LINEAR + name) for name in names]
            found += [
                FeatureConfig(name=LINEAR + f.name, table=LINEAR + f.table, pooling=f.pooling)
                for f in self.lists
            ]
        return tuple(found)

    def inputs(self) -> Inputs:
        """Return the inputs of its data; what it looks at is ``features()`` and ``num_dense``."""
        categorical = self.main_tables[: self.num_categorical]
        return Inputs(
            num_dense=self.num_dense,
            names=tuple(table.name for table in categorical),
            rows=tuple(table.rows for table in categorical),
            lists=self.lists,
            tasks=self.tasks,
        )

    def with_formats(self, formats: Mapping[str, RowFormat]) -> Self:
        """Return the configuration with tables, by name, stored in other formats."""
        tables = tuple(replace(table, format=formats.get(table.name, table.format)) for table in self.tables)
        return replace(self, tables=tables)

    def facts(self) -> ModelFacts:
        """Return the model's sizes and costs."""
        parameters, flop = self.network_facts()
        sizes = {table.name: row_bytes(table.format, table.width) for table in self.tables}
        lengths = {feature.name: feature.length for feature in self.lists}
        lengths |= {LINEAR + name: length for name, length in lengths.items()}
        gathered = sum(sizes[f.table] * lengths.get(f.name, 1) for f in self.features())
        return ModelFacts(
            parameters=parameters + sum(table.rows * table.width for table in self.tables),
            table_bytes=sum(table.rows * sizes[table.name] for table in self.tables),
            flop_per_item=flop,
            gathered_bytes_per_item=gathered,
            flop_per_byte=flop / gathered,
        )


def input_fields(
    inputs: Inputs, width: int, *, dense: bool = False, linear: bool = False, tasks: int | None = 1
) -> dict[str, Any]:
    """Return the fields of a configuration that follow from a data set's inputs.

    Args:
        inputs: of the data set.
        width: D of every table.
        dense: whether the model needs a dense feature.
        linear: whether each table has a second one of width 1.
        tasks: how many of the labels are learnt, the first ones; None for all.

    Raises:
        MisfitError: there is no categorical or list feature, or no dense one where it is needed.
    """
    if dense and inputs.num_dense == 0:
        raise MisfitError("a dense feature")
    rows = dict(zip(inputs.names, inputs.rows, strict=True))
    rows |= {feature.name: feature.rows for feature in inputs.lists if feature.has_own_table}
    if not rows:
        raise MisfitError("a categorical feature")
    tables = [TableConfig(name=name, rows=count, width=width) for name, count in rows.items()]
    if linear:
        tables += [TableConfig(name=LINEAR + name, rows=count, width=1) for name, count in rows.items()]
    return {
        "tables": tuple(tables),
        "num_dense": inputs.num_dense,
        "lists": inputs.lists,
        "tasks": inputs.tasks[:tasks],
    }


class RankingModel(nn.Module, ABC):
    """Maps a batch to a logit for each example, or to one for each task.

    Args:
        config: sizes.
        embeddings: the tables, looked up as ``config.features()`` says; usually ``EmbeddingTables``.

    Attributes:
        embeddings: the injected tables.
        tasks: names of the labels that it learns.
    """

    embeddings: EmbeddingTables

    def __init__(self, config: ModelConfig, embeddings: nn.Module) -> None:
        super().__init__()
        self.embeddings = cast(EmbeddingTables, embeddings)
        self.tasks = config.tasks
        self._copies = 2 if config.has_linear else 1

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32; (B, K) of a model of K > 1 tasks."""

    def training_output(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return logits, and an auxiliary loss to be added: summed over the examples, weighted; or None."""
        return self(batch), None

    def embed(self, batch: Batch) -> Lookup:
        """Look up a batch."""
        return self.embeddings.lookup(self.bags(batch))

    def bags(self, batch: Batch) -> Tensor | Jagged:
        """Return the ids that are looked up, those of ``config.features()`` in their order."""
        return all_bags(batch, copies=self._copies)

    def dense_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield name and parameter of the networks: everything but the embedding tables."""
        for name, parameter in self.named_parameters():
            if not name.startswith("embeddings."):
                yield name, parameter
