"""Wide & Deep.  Paper: https://arxiv.org/abs/1606.07792.

    x     = [dense, e_1, ..., e_F]                        (B, N + F D); e: one pooled embedding per feature
    wide  = sum of a weight of each id, and w . dense     (B,)
    logit = deep(x) + wide                                (B,)

The wide part memorises: it is linear in ids and dense features. Crossed ids, which the paper gives it as
well, are features of the data like any other.

``wide-deep-paper`` has the sizes of DeepRecSys (harvard-acc/DeepRecSys at 1383176), which has no wide part.

Shapes: B batch, F features (categorical and lists), D embedding width, N dense features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from hotrow.errors import ConfigError
from hotrow.layers.beside import beside
from hotrow.layers.linear import LinearTerm
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import LINEAR, ModelConfig, RankingModel, input_fields
from hotrow.models.checks import common_width, require_linear_tables, require_widths
from hotrow.models.paper_inputs import wide_deep_inputs
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs


@dataclass(frozen=True, kw_only=True)
class WideDeepConfig(ModelConfig):
    """Sizes of a Wide & Deep model.

    Attributes:
        tables: all of one width D, and with ``wide`` those of the linear part.
        deep: widths of the deep network after its input; the last is 1.
        wide: whether there is a wide part.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1606.07792"

    deep: tuple[int, ...] = (1024, 512, 256, 1)
    wide: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        linear = any(table.name.startswith(LINEAR) for table in self.tables)
        if linear != self.wide:
            has = "hold a" if linear else "hold no"
            raise ConfigError("wide", self.wide, f"{linear}: the tables {has} wide part")
        if self.wide:
            require_linear_tables(self)
        common_width(self)
        require_widths("deep", self.deep, last=1)

    @property
    def has_linear(self) -> bool:
        """Whether every table has a second one of width 1: for the wide part."""
        return self.wide

    @property
    def deep_sizes(self) -> tuple[int, ...]:
        """Widths of the deep network from its input on."""
        return (self.joined_width, *self.deep)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of the deep network and the dense features' wide part."""
        linear = self.num_dense if self.wide else 0
        return mlp_parameters(self.deep_sizes) + linear, mlp_flop(self.deep_sizes) + 2 * linear


@register("wide-deep", WideDeepConfig)
class WideDeep(RankingModel):
    """A deep network and a linear part, trained together.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: WideDeepConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.deep = MLP(config.deep_sizes, activate_last=False, generator=generator)
        self.wide = LinearTerm(config.num_dense) if config.wide else None
        self._deep_columns = config.deep_sizes[0] - config.num_dense

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        pooled = self.embed(batch).pooled
        deep, wide = pooled[:, : self._deep_columns], pooled[:, self._deep_columns :]
        logits: Tensor = self.deep(beside(batch.dense, deep)).squeeze(1)
        return logits if self.wide is None else logits + self.wide(wide, batch.dense)


@register_preset("wide-deep-paper", model="wide-deep", inputs=wide_deep_inputs)
def wide_deep_paper(inputs: Inputs) -> WideDeepConfig:
    """Size as DeepRecSys: D 32, 1024-512-256-1, without a wide part."""
    return WideDeepConfig(**input_fields(inputs, 32), wide=False)


@register_preset("wide-deep-small", model="wide-deep", aliases=("wide-deep",))
def wide_deep_small(inputs: Inputs) -> WideDeepConfig:
    """Size for small data and tests: D 16, 128-64-1 and a wide part."""
    return WideDeepConfig(**input_fields(inputs, 16, linear=True), deep=(128, 64, 1))
