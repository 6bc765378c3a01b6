"""DCN-v2: deep & cross network.  Paper: https://arxiv.org/abs/2008.13535.

    x_0      = [bottom(dense), e_1, ..., e_F]             (B, W); e: one pooled embedding for each feature
    x_{l+1}  = x_0 * (U_l V_l x_l + b_l) + x_l            (B, W); U_l (W, R), V_l (R, W)
    stacked:   logit = deep(x_L)                          (B,)
    parallel:  logit = w [x_L, deep(x_0)] + b             (B,)

Without a bottom network the dense features themselves stand in its place. MLPerf's model is stacked, with
a bottom network whose output is as wide as an embedding (DLRM-v2, mlcommons/training at
recommendation_v2/torchrec_dlrm).

Shapes: B batch, F features (categorical and lists), D embedding width, N dense features,
W = F D + N (or F D + the last of ``bottom``), R rank, L crosses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from hotrow.errors import ConfigError
from hotrow.layers.beside import beside
from hotrow.layers.cross import CrossNetwork, cross_flop, cross_parameters
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import ModelConfig, RankingModel, input_fields
from hotrow.models.checks import common_width, require_positive, require_widths
from hotrow.models.paper_inputs import dcnv2_inputs
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs


@dataclass(frozen=True, kw_only=True)
class DCNv2Config(ModelConfig):
    """Sizes of a DCN-v2.

    Attributes:
        tables: all of one width D.
        bottom: widths of the network that takes the dense features; empty for none.
        crosses: L.
        rank: R of every cross; None for full rank.
        structure: whether the deep network takes the crossed vector (``stacked``) or stands beside the
            crosses (``parallel``).
        deep: widths of the deep network after its input; stacked, the last is 1.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/2008.13535"

    bottom: tuple[int, ...] = ()
    crosses: int = 3
    rank: int | None = 64
    structure: Literal["stacked", "parallel"] = "stacked"
    deep: tuple[int, ...] = (512, 256, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        common_width(self)
        if self.bottom and self.num_dense < 1:
            raise ConfigError("num_dense", self.num_dense, "at least 1: the bottom network has an input")
        require_widths("bottom", self.bottom)
        require_positive("crosses", self.crosses)
        require_positive("rank", 1 if self.rank is None else self.rank)
        require_widths("deep", self.deep, last=1 if self.structure == "stacked" else None)

    def with_width(self, width: int) -> Self:
        """Return the configuration with tables of another width D.

        The bottom network goes with it where it gives a vector of the tables' width.
        """
        bottom = self.bottom
        if bottom and bottom[-1] == common_width(self):
            bottom = (*bottom[:-1], width)
        return replace(self, tables=self.tables_of_width(width), bottom=bottom)

    @property
    def bottom_sizes(self) -> tuple[int, ...]:
        """Widths of the bottom network from its input on; only N where there is none."""
        return (self.num_dense, *self.bottom)

    @property
    def crossed_width(self) -> int:
        """W."""
        return self.bottom_sizes[-1] + self.num_pooled * common_width(self)

    @property
    def deep_sizes(self) -> tuple[int, ...]:
        """Widths of the deep network from its input on."""
        return (self.crossed_width, *self.deep)

    @property
    def last_sizes(self) -> tuple[int, ...]:
        """Widths of what ends the parallel structure; none in the stacked."""
        return () if self.structure == "stacked" else (self.crossed_width + self.deep_sizes[-1], 1)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of networks and crosses."""
        crosses = (self.crossed_width, self.crosses, self.rank)
        networks = (self.bottom_sizes, self.deep_sizes, self.last_sizes)
        parameters = cross_parameters(*crosses) + sum(map(mlp_parameters, networks))
        return parameters, cross_flop(*crosses) + sum(map(mlp_flop, networks))


@register("dcnv2", DCNv2Config)
class DCNv2(RankingModel):
    """Crosses of all features, and a deep network after or beside them.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: DCNv2Config, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.bottom = MLP(config.bottom_sizes, activate_last=True, generator=generator)
        self.cross = CrossNetwork(config.crossed_width, config.crosses, config.rank, generator=generator)
        self.deep = MLP(config.deep_sizes, activate_last=config.structure == "parallel", generator=generator)
        self.last = MLP(config.last_sizes, activate_last=False, generator=generator)
        self.is_stacked = config.structure == "stacked"

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        x_BW = beside(self.bottom(batch.dense), self.embed(batch).pooled)
        crossed_BW = self.cross(x_BW)
        if self.is_stacked:
            logits: Tensor = self.deep(crossed_BW).squeeze(1)
        else:
            logits = self.last(beside(crossed_BW, self.deep(x_BW))).squeeze(1)
        return logits


@register_preset("dcnv2-mlperf", model="dcnv2", inputs=dcnv2_inputs)
def dcnv2_mlperf(inputs: Inputs) -> DCNv2Config:
    """Size MLPerf's model: D 128, 512-256-128, 3 crosses of rank 512, 1024-1024-512-256-1."""
    return DCNv2Config(
        **input_fields(inputs, 128, dense=True),
        bottom=(512, 256, 128),
        rank=512,
        deep=(1024, 1024, 512, 256, 1),
    )


@register_preset("dcnv2-small", model="dcnv2", aliases=("dcnv2",))
def dcnv2_small(inputs: Inputs) -> DCNv2Config:
    """Size for small data and tests: D 16, 2 crosses of rank 32 beside 128-64."""
    return DCNv2Config(**input_fields(inputs, 16), crosses=2, rank=32, structure="parallel", deep=(128, 64))
