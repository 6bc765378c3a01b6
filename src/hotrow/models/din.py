"""DIN: deep interest network.  Paper: https://arxiv.org/abs/1706.06978.

    k_l     = embeddings of one event of a history, side by side            (K,)
    q       = the candidate's embeddings of the same features               (Q,)
    a_l     = unit([k_l, q, k_l - q, k_l * q])                              a number, not a share
    v       = sum of a_l k_l over the row's events                          (B, K)
    logit   = top([dense, pooled embeddings, v])                            (B,)

Histories are of any length and are not padded: work and memory go with the number of events. Several
sequences of one length (items and their categories) are one history; sequences without a candidate are
averaged, as all are with ``attention=False``.

Shapes: B batch, L events of all rows, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from hotrow.layers.attention import ActivationUnit, activation_unit_facts
from hotrow.layers.beside import beside
from hotrow.layers.dice import Activation
from hotrow.layers.jagged import segment_mean, segment_softmax, segment_sum
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import ModelConfig, RankingModel, input_fields
from hotrow.models.checks import require_widths
from hotrow.models.histories import History, histories, require_candidates, require_history
from hotrow.models.paper_inputs import din_inputs
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs


@dataclass(frozen=True, kw_only=True)
class DINConfig(ModelConfig):
    """Sizes of a DIN.

    Attributes:
        unit: widths of the activation unit's hidden layers; none: one linear map.
        top: widths of the top network after its input; the last is 1.
        activation: of unit and top network; ``relu`` for neither of the paper's.
        attention: whether events count by their candidate; if not, histories are averaged.
        softmax: whether a row's weights are made to sum to 1; the paper's are not, so that v also tells
            how much of a history has to do with the candidate.
        align: whether sequences of one mean length are one history; they must be as long as one another
            in every row.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1706.06978"
    looks_at_steps: ClassVar[bool] = True

    unit: tuple[int, ...] = (36,)
    top: tuple[int, ...] = (200, 80, 1)
    activation: Activation = "dice"
    attention: bool = True
    softmax: bool = False
    align: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths("unit", self.unit, last=None)
        require_widths("top", self.top, last=1)
        require_candidates(self.histories)

    @property
    def histories(self) -> tuple[History, ...]:
        """The histories: one, or several groups of sequences."""
        return histories(self, align=self.align)

    @property
    def top_sizes(self) -> tuple[int, ...]:
        """Widths of the top network from its input on."""
        return (self.joined_width + sum(history.key for history in self.histories), *self.top)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item: units, weighted sums and top network."""
        parameters = mlp_parameters(self.top_sizes, self.activation)
        flop = mlp_flop(self.top_sizes)
        for history in self.histories:
            if history.query and self.attention:
                sizes = (history.key, history.query, self.unit, self.activation)
                of_unit, of_step, of_row = activation_unit_facts(*sizes, constant=not self.softmax)
                parameters += of_unit
                flop += of_row + history.length * of_step
            flop += history.length * 2 * history.key
        return parameters, flop


@register("din", DINConfig)
class DIN(RankingModel):
    """Histories weighted by the candidate, and a top network.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: DINConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.config = config
        self.histories = config.histories
        self.units = nn.ModuleList(
            ActivationUnit(
                history.key,
                history.query,
                config.unit,
                activation=config.activation,
                start=None if config.softmax else 1 / history.length,  # as though averaging
                generator=generator,
            )
            if history.query and config.attention
            else nn.Identity()
            for history in self.histories
        )
        self.top = MLP(
            config.top_sizes, activate_last=False, generator=generator, activation=config.activation
        )

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        found = self.embed(batch)
        interests = []
        for history, unit in zip(self.histories, self.units, strict=True):
            keys_LK, segments = history.steps_of(batch, found)
            if isinstance(unit, nn.Identity):  # no candidate, or no attention
                interests.append(segment_mean(keys_LK, segments))
                continue
            weights_L = unit(keys_LK, history.query_of(found.pooled), segments)
            if self.config.softmax:
                weights_L = segment_softmax(weights_L, segments)
            interests.append(segment_sum(keys_LK, segments, weights_L))
        logits: Tensor = self.top(beside(batch.dense, found.pooled, *interests)).squeeze(1)
        return logits


@register_preset("din-paper", model="din", inputs=din_inputs)
def din_paper(inputs: Inputs) -> DINConfig:
    """Size DIN as DeepRecSys does: D 32, a unit with one hidden neuron, 200-80.

    Its "attention MLP 96-1-32" takes three vectors of 32 to one number, which weighs a vector of 32; here
    the unit takes the paper's four. Its two last outputs are a softmax over click and no click, which is
    the sigmoid of one.
    """
    return _sized(inputs, 32, unit=(1,))


@register_preset("din-amazon", model="din", inputs=din_inputs, aliases=("din",))
def din_amazon(inputs: Inputs) -> DINConfig:
    """Size DIN for the Amazon data: D 32, a unit with 36 hidden neurons, 200-80; weights sum to 1.

    The networks are those of the paper's figure 2. The authors' code (zhougr1993/DeepInterestNetwork at
    2db0cd9) has D 64, a unit of 80-40, 80-40 with batch normalisation, and makes the weights sum to 1 too.
    On Amazon Beauty, where histories have 8 events, weights that need not were worse than an average.
    """
    return replace(_sized(inputs, 32), softmax=True)


@register_preset("din-small", model="din", inputs=din_inputs)
def din_small(inputs: Inputs) -> DINConfig:
    """Size DIN for demonstrations and tests: D 16, a unit with 16 hidden neurons, 64-32."""
    return _sized(inputs, 16, unit=(16,), top=(64, 32, 1))


def _sized(
    inputs: Inputs, width: int, *, unit: tuple[int, ...] = (36,), top: tuple[int, ...] = (200, 80, 1)
) -> DINConfig:
    require_history(inputs)
    return DINConfig(**input_fields(inputs, width), unit=unit, top=top)
