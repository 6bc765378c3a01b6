"""DeepFM: a factorisation machine and a deep network on the same embeddings.

Paper: https://arxiv.org/abs/1703.04247.

    linear = sum of a weight of each id, and w . dense                     (B,)
    fm     = sum over pairs i > j of <v_i, v_j>                            (B,)
             v: e_1, ..., e_F, one pooled embedding per feature, and x_n v_n for each dense feature
    logit  = linear + fm + deep([dense, e_1, ..., e_F])                    (B,)

The deep network takes the dense features themselves, of which the paper's x_n v_n are multiples.

Shapes: B batch, F features (categorical and lists), D embedding width, N dense features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from hotrow.layers.beside import beside
from hotrow.layers.fm import FactorisationMachine, fm_flop
from hotrow.layers.linear import LinearTerm
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import ModelConfig, RankingModel, input_fields
from hotrow.models.checks import common_width, require_linear_tables, require_widths
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs


@dataclass(frozen=True, kw_only=True)
class DeepFMConfig(ModelConfig):
    """Sizes of a DeepFM.

    Attributes:
        tables: all of one width D, and those of the linear part.
        deep: widths of the deep network after its input; the last is 1.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1703.04247"

    deep: tuple[int, ...] = (400, 400, 400, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_linear_tables(self)
        common_width(self)
        require_widths("deep", self.deep, last=1)

    @property
    def has_linear(self) -> bool:
        """Whether every table has a second one of width 1: always."""
        return True

    @property
    def deep_sizes(self) -> tuple[int, ...]:
        """Widths of the deep network from its input on."""
        return (self.joined_width, *self.deep)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of the deep network, the pairs and the dense features."""
        width = common_width(self)
        parameters = mlp_parameters(self.deep_sizes) + self.num_dense * (1 + width)
        pairs = fm_flop(self.num_pooled, self.num_dense, width)
        return parameters, mlp_flop(self.deep_sizes) + pairs + 2 * self.num_dense


@register("deepfm", DeepFMConfig)
class DeepFM(RankingModel):
    """A factorisation machine and a deep network, added.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: DeepFMConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.linear = LinearTerm(config.num_dense)
        self.fm = FactorisationMachine(config.num_dense, common_width(config), generator=generator)
        self.deep = MLP(config.deep_sizes, activate_last=False, generator=generator)
        self._shape = (config.num_pooled, common_width(config))

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        pooled = self.embed(batch).pooled
        F, D = self._shape
        shared, weights = pooled[:, : F * D], pooled[:, F * D :]
        deep: Tensor = self.deep(beside(batch.dense, shared)).squeeze(1)
        pairs: Tensor = self.fm(shared.view(-1, F, D), batch.dense)
        linear: Tensor = self.linear(weights, batch.dense)
        return deep + pairs + linear


@register_preset("deepfm-paper", model="deepfm")
def deepfm_paper(inputs: Inputs) -> DeepFMConfig:
    """Size as the paper for Criteo: D 10, 400-400-400-1."""
    return DeepFMConfig(**input_fields(inputs, 10, linear=True))


@register_preset("deepfm-small", model="deepfm", aliases=("deepfm",))
def deepfm_small(inputs: Inputs) -> DeepFMConfig:
    """Size for small data and tests: D 16, 128-64-1."""
    return DeepFMConfig(**input_fields(inputs, 16, linear=True), deep=(128, 64, 1))
