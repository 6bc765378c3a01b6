"""Wukong: stacked factorisation machines that scale.  Paper: https://arxiv.org/abs/2403.02545.

    X_0      = [e_1, ..., e_F, bottom(dense)]                        (B, V, D)
    FMB(X)   = MLP(LN(flatten(X (X^T Y))))                           (B, A, D); Y (V, R) is learnt
    LCB(X)   = W X                                                   (B, C, D)
    X_{l+1}  = LN([FMB(X_l), LCB(X_l)] + residual(X_l))              (B, A + C, D)
    logit    = top(flatten(X_L))                                     (B,)

Layer l holds interactions of up to 2^l features. The paper scales A, C, R, L and the networks together and
leaves D as it is; ``wukong_of_scale`` does so by one number, in steps that are ours.

Shapes: B batch, F features (categorical and lists), V = F + 1 vectors (F without dense features),
D embedding width, L layers, R rank.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from hotrow.layers.beside import beside
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.layers.wukong import WukongLayer, wukong_layer_facts
from hotrow.models.base import ModelConfig, RankingModel, input_fields
from hotrow.models.checks import common_width, require_positive, require_widths
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs

_LayerSizes = tuple[int, int, int, tuple[int, ...], tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class WukongConfig(ModelConfig):
    """Sizes of a Wukong.

    Attributes:
        tables: all of one width D.
        bottom: widths of the network that makes a vector of the dense features; the last is D. Unused
            without dense features.
        layers: L.
        machine_vectors: A, vectors that a layer's factorisation block gives.
        compressed_vectors: C, vectors that its linear compression gives.
        rank: R.
        hidden: widths of the inner layers of each factorisation block's network.
        top: widths of the last network after its input; the last is 1.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/2403.02545"

    bottom: tuple[int, ...] = (64, 16)
    layers: int = 2
    machine_vectors: int = 8
    compressed_vectors: int = 8
    rank: int = 8
    hidden: tuple[int, ...] = (128,)
    top: tuple[int, ...] = (128, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths("bottom", self.bottom, last=common_width(self))
        for field in ("layers", "machine_vectors", "compressed_vectors", "rank"):
            require_positive(field, getattr(self, field))
        require_widths("hidden", self.hidden)
        require_widths("top", self.top, last=1)

    def with_width(self, width: int) -> Self:
        """Return the configuration with tables, and the bottom network's output, of another width D."""
        return replace(self, tables=self.tables_of_width(width), bottom=(*self.bottom[:-1], width))

    @property
    def vectors(self) -> int:
        """V."""
        return self.num_pooled + (self.num_dense > 0)

    @property
    def bottom_sizes(self) -> tuple[int, ...]:
        """Widths of the bottom network from its input on; none without dense features."""
        return (self.num_dense, *self.bottom) if self.num_dense else ()

    @property
    def top_sizes(self) -> tuple[int, ...]:
        """Widths of the last network from its input on."""
        return ((self.machine_vectors + self.compressed_vectors) * common_width(self), *self.top)

    def layer_sizes(self) -> list[_LayerSizes]:
        """Return the sizes of each layer, in the order in which ``WukongLayer`` takes them."""
        outputs = (self.machine_vectors, self.compressed_vectors)
        taken = [self.vectors] + [sum(outputs)] * (self.layers - 1)
        return [(vectors, common_width(self), self.rank, self.hidden, outputs) for vectors in taken]

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of all networks and the factorisation machines."""
        layers = [wukong_layer_facts(*sizes) for sizes in self.layer_sizes()]
        ends = (self.bottom_sizes, self.top_sizes)
        return (
            sum(parameters for parameters, _ in layers) + sum(map(mlp_parameters, ends)),
            sum(flop for _, flop in layers) + sum(map(mlp_flop, ends)),
        )


@register("wukong", WukongConfig)
class Wukong(RankingModel):
    """Layers of factorisation machines over the features' vectors.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: WukongConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.config = config
        self._width = common_width(config)
        self.bottom = MLP(config.bottom_sizes, activate_last=True, generator=generator)
        self.layers = nn.Sequential(
            *(WukongLayer(*sizes, generator=generator) for sizes in config.layer_sizes())
        )
        self.top = MLP(config.top_sizes, activate_last=False, generator=generator)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        x = beside(self.embed(batch).pooled, self.bottom(batch.dense))
        y_BVD = self.layers(x.view(-1, self.config.vectors, self._width))
        logits: Tensor = self.top(y_BVD.flatten(1)).squeeze(1)
        return logits


def wukong_of_scale(inputs: Inputs, scale: int, *, width: int = 16) -> WukongConfig:
    """Size a Wukong by one number; each step doubles the width of its layers and adds a layer.

    Args:
        inputs: of the data set.
        scale: from 1: 2 layers of 8 + 8 vectors, rank 8 and networks of 128.
        width: D, which does not depend on the scale.

    Raises:
        ConfigError: the scale is below 1.
        MisfitError: the data have neither categorical nor list features.
    """
    require_positive("scale", scale)
    factor = 2 ** (scale - 1)
    return WukongConfig(
        **input_fields(inputs, width),
        bottom=(64 * factor, width),
        layers=1 + scale,
        machine_vectors=8 * factor,
        compressed_vectors=8 * factor,
        rank=8 * factor,
        hidden=(128 * factor,),
        top=(128 * factor, 1),
    )


@register_preset("wukong-small", model="wukong", aliases=("wukong",))
def wukong_small(inputs: Inputs) -> WukongConfig:
    """Size for small data and tests: scale 1, D 16."""
    return wukong_of_scale(inputs, 1)
