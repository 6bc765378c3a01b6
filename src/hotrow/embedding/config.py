"""What tables there are and how they are trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hotrow.errors import ConfigError
from hotrow.kernels.embedding_bag import OptimizerKind


@dataclass(frozen=True, kw_only=True)
class TableConfig:
    """One embedding table.

    Attributes:
        name: the feature it embeds; names the table in checkpoints and messages.
        rows: E.
        width: D.
    """

    name: str
    rows: int
    width: int

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ConfigError(f"tables.{self.name}.rows", self.rows, "at least 1")
        if self.width < 1:
            raise ConfigError(f"tables.{self.name}.width", self.width, "at least 1")


@dataclass(frozen=True, kw_only=True)
class TableOptimizerConfig:
    """The optimizer fused into the tables' backward.

    Attributes:
        kind: ``sgd``, or ``rowwise_adagrad``: Adagrad with one accumulator per row, which holds the
            mean over D of the squared gradient (FBGEMM's EXACT_ROWWISE_ADAGRAD).
        lr: learning rate at the start; ``EmbeddingTables.set_learning_rate`` changes it.
        eps: added to the root of the accumulator; not used by SGD.
    """

    kind: OptimizerKind = "rowwise_adagrad"
    lr: float = 0.01
    eps: float = 1e-8

    def __post_init__(self) -> None:
        for name in ("lr", "eps"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ConfigError(f"tables.{name}", value, "a finite number of at least 0")
