"""What tables and features there are, and how tables are trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from hotrow.errors import ConfigError
from hotrow.kernels.embedding_bag import DecayKind, FeatureSpec, Layout, OptimizerKind, Pooling, TableSpec
from hotrow.kernels.row_formats import RowFormat


@dataclass(frozen=True, kw_only=True)
class TableConfig:
    """One embedding table.

    Attributes:
        name: the feature it embeds, or any name if features are given apart; names the table in
            checkpoints and messages.
        rows: E.
        width: D.
        format: how a row is stored: fp32, fp16 or bf16; for inference also int8, int4 or int2.
    """

    name: str
    rows: int
    width: int
    format: RowFormat = "fp32"

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ConfigError(f"tables.{self.name}.rows", self.rows, "at least 1")
        if self.width < 1:
            raise ConfigError(f"tables.{self.name}.width", self.width, "at least 1")
        if self.format not in get_args(RowFormat):
            raise ConfigError(f"tables.{self.name}.format", self.format, " or ".join(get_args(RowFormat)))


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """One stream of ids that is looked up in a table.

    Attributes:
        name: names the feature in messages and its sequence in results.
        table: name of its table; several features may share one.
        pooling: ``sum`` or ``mean`` of a bag's rows; ``none`` keeps every row.
        padding: ids equal to it count as absent; it may lie outside the table, e.g. -1.
    """

    name: str
    table: str
    pooling: Pooling = "sum"
    padding: int | None = None

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pooling):
            raise ConfigError(f"features.{self.name}.pooling", self.pooling, " or ".join(get_args(Pooling)))


@dataclass(frozen=True, kw_only=True)
class TableOptimizerConfig:
    """The optimizer fused into the tables' backward; only touched rows change, decay included.

    The formulas are in ``hotrow.kernels.embedding_bag.Update``.

    Attributes:
        kind: ``sgd``; ``momentum``; ``rowwise_adagrad``: Adagrad with one accumulator per row, which
            holds the mean over D of the squared gradient (FBGEMM's EXACT_ROWWISE_ADAGRAD);
            ``adagrad``; ``adam``; ``lamb`` with a trust ratio for each row.
        lr: learning rate at the start; ``EmbeddingTables.set_learning_rate`` changes it.
        eps: added to the root of the accumulator; not used by SGD and momentum.
        beta1: momentum, or decay of Adam's first moment.
        beta2: decay of Adam's second moment.
        weight_decay: 0 for none.
        decay: ``l2`` adds the decay to the gradient, ``decoupled`` shrinks the row.
        clip_value: elements of a row's summed gradient are clamped to +- this; None: not.
        clip_norm: a row's summed gradient is scaled to at most this Euclidean norm; None: not.
        stochastic_rounding: how fp16 and bf16 rows are rounded; otherwise to nearest even.
        seed: of the stochastic rounding.
        check_gradients: raise for a gradient that is NaN or infinite, naming the table.
    """

    kind: OptimizerKind = "rowwise_adagrad"
    lr: float = 0.01
    eps: float = 1e-8
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    decay: DecayKind = "l2"
    clip_value: float | None = None
    clip_norm: float | None = None
    stochastic_rounding: bool = True
    seed: int = 0
    check_gradients: bool = False

    def __post_init__(self) -> None:
        for name in ("lr", "eps", "weight_decay"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ConfigError(f"tables.{name}", value, "a finite number of at least 0")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ConfigError(f"tables.{name}", value, "at least 0 and below 1")
        for name in ("clip_value", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"tables.{name}", value, "a finite number above 0, or null")
        for name, kind in (("kind", OptimizerKind), ("decay", DecayKind)):
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(f"tables.{name}", getattr(self, name), " or ".join(get_args(kind)))


def make_layout(tables: Sequence[TableConfig], features: Sequence[FeatureConfig] | None) -> Layout:
    """Return the layout of a lookup.

    Args:
        tables: T tables.
        features: F features; None: one summed feature for each table, of its name.

    Raises:
        ValueError: two tables or two features have one name, or there is none.
        ConfigError: a feature's table does not exist.
    """
    names = [table.name for table in tables]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"tables: expected at least one, with different names, got {names}")
    if features is None:
        features = [FeatureConfig(name=name, table=name) for name in names]
    feature_names = [feature.name for feature in features]
    if not feature_names or len(set(feature_names)) != len(feature_names):
        raise ValueError(f"features: expected at least one, with different names, got {feature_names}")
    for feature in features:
        if feature.table not in names:
            raise ConfigError(f"features.{feature.name}.table", feature.table, f"one of {', '.join(names)}")
    return Layout(
        tuple(TableSpec(table.name, table.rows, table.width, table.format) for table in tables),
        tuple(FeatureSpec(f.name, names.index(f.table), f.pooling, f.padding) for f in features),
    )
