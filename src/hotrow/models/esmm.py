"""ESMM: entire space multi-task model, of clicks and the conversions that follow them.

Paper: https://arxiv.org/abs/1804.07931.

    x                 = [dense, e_1, ..., e_F]            (B, N + F D); e: one pooled embedding per feature
    a, b              = click(x), conversion(x)           (B,) each: two networks on the same embeddings
    p(click)          = sigmoid(a)
    p(conversion)     = sigmoid(a) sigmoid(b)             sigmoid(b) being p(conversion | click)

Both are learnt from all impressions, not conversions from clicks alone. The logit of the product,

    log p / (1 - p) = -log(exp(-a) + exp(-b) + exp(-a - b)),

is exact for logits of any size, where multiplying two probabilities would round to 0 or 1.

Shapes: B batch, F features (categorical and lists), D embedding width, N dense features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from hotrow.errors import ConfigError
from hotrow.layers.beside import beside
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import ModelConfig, RankingModel, input_fields
from hotrow.models.checks import common_width, require_two_labels, require_widths
from hotrow.models.paper_inputs import kaggle_with_conversions
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs


@dataclass(frozen=True, kw_only=True)
class ESMMConfig(ModelConfig):
    """Sizes of an ESMM.

    Attributes:
        tables: all of one width D.
        tasks: the label that tells clicks, then the one that tells conversions, which clicks precede.
        tower: widths of each of the two networks after its input; the last is 1.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1804.07931"

    tower: tuple[int, ...] = (360, 200, 80, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        common_width(self)
        if len(self.tasks) != 2:
            raise ConfigError("tasks", self.tasks, "two labels: click and conversion")
        require_widths("tower", self.tower, last=1)

    @property
    def tower_sizes(self) -> tuple[int, ...]:
        """Widths of each network from its input on."""
        return (self.joined_width, *self.tower)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of both networks."""
        return 2 * mlp_parameters(self.tower_sizes), 2 * mlp_flop(self.tower_sizes)


@register("esmm", ESMMConfig)
class ESMM(RankingModel):
    """Networks of p(click) and p(conversion | click), trained through p(click) and p(conversion).

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: ESMMConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.click = MLP(config.tower_sizes, activate_last=False, generator=generator)
        self.conversion = MLP(config.tower_sizes, activate_last=False, generator=generator)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits of p(click) and p(conversion), (B, 2) float32."""
        x = beside(batch.dense, self.embed(batch).pooled)
        click_B1, given_click_B1 = self.click(x), self.conversion(x)
        return beside(click_B1, logit_of_product(click_B1, given_click_B1))


def logit_of_product(a: Tensor, b: Tensor) -> Tensor:
    """Return the logit of sigmoid(a) sigmoid(b), elementwise; exact also where either is nearly 0 or 1."""
    return -torch.logsumexp(torch.stack([-a, -b, -(a + b)]), dim=0)


@register_preset("esmm-paper", model="esmm", inputs=kaggle_with_conversions)
def esmm_paper(inputs: Inputs) -> ESMMConfig:
    """Size as the paper: D 18, 360-200-80-1 twice."""
    require_two_labels(inputs)
    return ESMMConfig(**input_fields(inputs, 18, tasks=2))


@register_preset("esmm-small", model="esmm", inputs=kaggle_with_conversions, aliases=("esmm",))
def esmm_small(inputs: Inputs) -> ESMMConfig:
    """Size for small data and tests: D 16, 64-32-1 twice."""
    require_two_labels(inputs)
    return ESMMConfig(**input_fields(inputs, 16, tasks=2), tower=(64, 32, 1))
