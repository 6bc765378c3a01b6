"""DLRM: deep learning recommendation model.  Paper: https://arxiv.org/abs/1906.00091.

    x_0     = bottom(dense)                                (B, D)
    x_1..F  = one pooled embedding for each feature        (B, D) each
    z       = [x_0, dot products of all pairs i > j]       (B, D + (F + 1) F / 2)
              or, with ``interaction="cat"``, [x_0, ..., x_F]     (B, (F + 1) D)
    logit   = top(z)                                       (B,)

Of data without dense features there is no x_0 and no bottom network, and x_1 stands in z for itself.

RMC1, RMC2 and RMC3 are three kinds of DLRM in a data centre (https://arxiv.org/abs/1906.03109), sized as
DeepRecSys publishes them (harvard-acc/DeepRecSys at 1383176); it combines by concatenation.

Shapes: B batch, F features (categorical and lists), D embedding width, N dense features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from hotrow.errors import ConfigError
from hotrow.layers.beside import beside
from hotrow.layers.interact import DotInteraction, num_pairs
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import MisfitError, ModelConfig, RankingModel, input_fields
from hotrow.models.checks import common_width, require_widths
from hotrow.models.paper_inputs import dlrm_rmc1_inputs, dlrm_rmc2_inputs, dlrm_rmc3_inputs
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs

_RMC = "https://arxiv.org/abs/1906.03109"


@dataclass(frozen=True, kw_only=True)
class DLRMConfig(ModelConfig):
    """Sizes of a DLRM.

    Attributes:
        tables: all of one width D.
        bottom: widths of the bottom network after its input; the last is D. There is none without dense
            features.
        top: widths of the top network after its input; the last is 1.
        interaction: how the vectors meet: ``dot`` products of all pairs, or ``cat`` side by side.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1906.00091"

    bottom: tuple[int, ...] = (512, 256, 64, 16)
    top: tuple[int, ...] = (512, 256, 1)
    interaction: Literal["dot", "cat"] = "dot"

    def __post_init__(self) -> None:
        super().__post_init__()
        width = common_width(self)
        if self.vectors < 2:
            raise ConfigError("tables", self.tables, "two features or more, the dense ones being one")
        require_widths("bottom", self.bottom, last=width)
        require_widths("top", self.top, last=1)

    @property
    def width(self) -> int:
        """D."""
        return self.tables[0].width

    def with_width(self, width: int) -> Self:
        """Return the configuration with tables, and the bottom network's output, of another width D."""
        return replace(self, tables=self.tables_of_width(width), bottom=(*self.bottom[:-1], width))

    @property
    def bottom_sizes(self) -> tuple[int, ...]:
        """Widths of the bottom network from its input on; none without dense features."""
        return (self.num_dense, *self.bottom) if self.num_dense else ()

    @property
    def vectors(self) -> int:
        """How many vectors meet: one for each feature, and the bottom network's output."""
        return self.num_pooled + bool(self.num_dense)

    @property
    def top_sizes(self) -> tuple[int, ...]:
        """Widths of the top network from its input on."""
        dots = self.width + num_pairs(self.vectors)
        return (dots if self.interaction == "dot" else self.width * self.vectors, *self.top)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of the networks and the interaction."""
        parameters = mlp_parameters(self.bottom_sizes) + mlp_parameters(self.top_sizes)
        interaction = 2 * self.width * num_pairs(self.vectors) if self.interaction == "dot" else 0
        return parameters, mlp_flop(self.bottom_sizes) + mlp_flop(self.top_sizes) + interaction


@register("dlrm", DLRMConfig)
class DLRM(RankingModel):
    """Bottom network and embeddings, their interaction, top network.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: DLRMConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.config = config
        self.bottom = MLP(config.bottom_sizes, activate_last=True, generator=generator)
        self.interact = DotInteraction(config.vectors)
        self.top = MLP(config.top_sizes, activate_last=False, generator=generator)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        met = beside(self.bottom(batch.dense), self.embed(batch).pooled)
        if self.config.interaction == "dot":
            met = self.interact(met.view(-1, self.config.vectors, self.config.width))
        logits: Tensor = self.top(met).squeeze(1)
        return logits


@register_preset("dlrm-kaggle", model="dlrm", aliases=("dlrm",))
def dlrm_kaggle(inputs: Inputs) -> DLRMConfig:
    """Size DLRM as facebookresearch/dlrm does for Criteo Kaggle: D 16, 512-256-64-16, 512-256-1."""
    return DLRMConfig(**_fields(inputs))


@register_preset("dlrm-rmc1", model="dlrm", inputs=dlrm_rmc1_inputs, paper=_RMC)
def dlrm_rmc1(inputs: Inputs) -> DLRMConfig:
    """Size RMC1, few tables and small networks: D 32, 64-32, 256-64-1."""
    return _published(inputs, bottom=(64, 32), top=(256, 64, 1))


@register_preset("dlrm-rmc2", model="dlrm", inputs=dlrm_rmc2_inputs, paper=_RMC)
def dlrm_rmc2(inputs: Inputs) -> DLRMConfig:
    """Size RMC2, many tables and lookups: D 64, 128-64, 128-64-1."""
    return _published(inputs, bottom=(128, 64), top=(128, 64, 1))


@register_preset("dlrm-rmc3", model="dlrm", inputs=dlrm_rmc3_inputs, paper=_RMC)
def dlrm_rmc3(inputs: Inputs) -> DLRMConfig:
    """Size RMC3, large networks: D 32, 1024-256-32, 512-256-1."""
    return _published(inputs, bottom=(1024, 256, 32), top=(512, 256, 1))


@register_preset("dlrm-small", model="dlrm")
def dlrm_small(inputs: Inputs) -> DLRMConfig:
    """Size DLRM for demonstrations and tests: D 16, 64-32-16, 128-64-1."""
    return DLRMConfig(**_fields(inputs), bottom=(64, 32, 16), top=(128, 64, 1))


def _published(inputs: Inputs, *, bottom: tuple[int, ...], top: tuple[int, ...]) -> DLRMConfig:
    fields = input_fields(inputs, bottom[-1], dense=True)
    return DLRMConfig(**fields, bottom=bottom, top=top, interaction="cat")


def _fields(inputs: Inputs) -> dict[str, Any]:
    if len(inputs.names) + len(inputs.lists) + bool(inputs.num_dense) < 2:
        raise MisfitError("two features, which can interact")
    return input_fields(inputs, 16)
