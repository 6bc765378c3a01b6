"""DIEN: deep interest evolution network.  Paper: https://arxiv.org/abs/1809.03672.

    k_t     = embeddings of one event of a history, oldest first, side by side     (K,)
    h_t     = GRU(k_1, ..., k_t)                       interests                   (H,)
    a_t     = softmax over the row's events of h_t . (W q), q the candidate's embeddings
    h'_t    = AUGRU(h_1, ..., h_t; a)                  how they evolve             (H,)
    logit   = top([dense, pooled embeddings, h' of the last event])                (B,)

Auxiliary loss: an interest should tell the next event from another one. With z_t = V h_t (K,),

    loss    = mean over the row's events but the last of
              -log sigmoid(z_t . k_{t+1}) - log(1 - sigmoid(z_t . n_{t+1}))

where n_{t+1} is an event of the batch: that of the place about 0.618 L after the next one in the flat order
of all L events, counted round. The paper has H = K and no V, draws its negatives from all items, and sums
over events; here a long history counts as much as a short one.

Histories are of any length and are not padded. Several sequences of one length (items and their
categories) are one history; sequences without a candidate are averaged.

Shapes: B batch, L events of all rows, D embedding width, H hidden width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotrow.errors import ConfigError
from hotrow.layers.beside import beside
from hotrow.layers.dice import Activation
from hotrow.layers.gru import GRU, gru_flop, gru_parameters
from hotrow.layers.initial import xavier_linear
from hotrow.layers.jagged import Segments, segment_mean, segment_softmax, times_rows
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.layers.packing import make_packing
from hotrow.models.base import ModelConfig, RankingModel, input_fields
from hotrow.models.checks import require_positive, require_widths
from hotrow.models.histories import History, histories, require_candidates, require_history
from hotrow.models.paper_inputs import dien_inputs
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs

NEGATIVE_SHIFT: Final = 0.618
"""How far away the events are that serve as negatives, as a share of all events of a batch."""


@dataclass(frozen=True, kw_only=True)
class DIENConfig(ModelConfig):
    """Sizes of a DIEN.

    Attributes:
        hidden: H of both recurrent layers.
        top: widths of the top network after its input; the last is 1.
        activation: of the top network.
        auxiliary: weight of the auxiliary loss; 0 for none.
        align: whether sequences of one mean length are one history; they must be as long as one another
            in every row.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1809.03672"
    looks_at_steps: ClassVar[bool] = True

    hidden: int = 64
    top: tuple[int, ...] = (200, 80, 1)
    activation: Activation = "dice"
    auxiliary: float = 1.0
    align: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("hidden", self.hidden)
        require_widths("top", self.top, last=1)
        if not 0 <= self.auxiliary < float("inf"):
            raise ConfigError("auxiliary", self.auxiliary, "a finite number of at least 0")
        require_candidates(self.histories)

    @property
    def histories(self) -> tuple[History, ...]:
        """The histories: one, or several groups of sequences."""
        return histories(self, align=self.align)

    @property
    def top_sizes(self) -> tuple[int, ...]:
        """Widths of the top network from its input on."""
        interests = (self.hidden if history.query else history.key for history in self.histories)
        return (self.joined_width + sum(interests), *self.top)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item: recurrent layers, attention and top network."""
        parameters, flop = mlp_parameters(self.top_sizes, self.activation), mlp_flop(self.top_sizes)
        H = self.hidden
        for history in self.histories:
            if not history.query:
                flop += history.length * 2 * history.key
                continue
            parameters += gru_parameters(history.key, H) + gru_parameters(H, H) + history.query * H
            parameters += history.key * H if self.auxiliary else 0
            flop += history.length * (gru_flop(history.key, H) + gru_flop(H, H) + 2 * H)
            flop += 2 * history.query * H
        return parameters, flop


class InterestEvolution(nn.Module):
    """One history's GRU, attention and AUGRU.

    Args:
        history: widths of its steps and of its candidate.
        hidden: H.
        auxiliary: whether there is an auxiliary loss.
        generator: source of the initial weights.
    """

    def __init__(self, history: History, hidden: int, *, auxiliary: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.extract = GRU(history.key, hidden, generator=generator)
        self.attend = xavier_linear(history.query, hidden, generator, bias=False)
        self.evolve = GRU(hidden, hidden, generator=generator)
        if auxiliary:
            self.predict = xavier_linear(hidden, history.key, generator, bias=False)

    def forward(self, keys_LK: Tensor, query_BQ: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Return where each row's interests end, (B, H), and the interests of all events, (L, H)."""
        packing = make_packing(segments)
        packed_PH, _ = self.extract(packing.pack(keys_LK), packing)
        interests_LH = packing.unpack(packed_PH)
        scores_L = times_rows(interests_LH, self.attend(query_BQ), segments).sum(dim=1)
        attention_P = packing.pack(segment_softmax(scores_L, segments))
        _, last_BH = self.evolve(packed_PH, packing, attention_P)
        return last_BH, interests_LH

    def auxiliary_loss(self, keys_LK: Tensor, interests_LH: Tensor, segments: Segments) -> Tensor:
        """Return the sum over rows of the mean over their events of the auxiliary loss."""
        steps, rows = len(keys_LK), segments.rows
        shift = min(max(1, int(NEGATIVE_SHIFT * steps)), max(1, steps - 1))
        predicted, following = self.predict(interests_LH[:-1]), keys_LK[1:]
        others = keys_LK.roll(-shift - 1, dims=0)[:-1]
        told = F.softplus(-(predicted * following).sum(dim=1))
        mistaken = F.softplus((predicted * others).sum(dim=1))
        weights_B = (segments.lengths - 1).clamp(min=1).reciprocal()
        weights = torch.where(rows[1:] == rows[:-1], weights_B.index_select(0, rows[:-1]), 0.0)
        return ((told + mistaken) * weights).sum()


@register("dien", DIENConfig)
class DIEN(RankingModel):
    """Interests that evolve towards the candidate, and a top network.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: DIENConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.config = config
        self.histories = config.histories
        auxiliary = config.auxiliary > 0
        self.evolutions = nn.ModuleList(
            InterestEvolution(history, config.hidden, auxiliary=auxiliary, generator=generator)
            if history.query
            else nn.Identity()
            for history in self.histories
        )
        self.top = MLP(
            config.top_sizes, activate_last=False, generator=generator, activation=config.activation
        )

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        return self._run(batch, auxiliary=False)[0]

    def training_output(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return logits and the weighted auxiliary loss, summed over the examples."""
        logits, losses = self._run(batch, auxiliary=self.config.auxiliary > 0)
        return logits, self.config.auxiliary * torch.stack(losses).sum() if losses else None

    def _run(self, batch: Batch, *, auxiliary: bool) -> tuple[Tensor, list[Tensor]]:
        found = self.embed(batch)
        ends, losses = [], []
        for history, evolution in zip(self.histories, self.evolutions, strict=True):
            keys_LK, segments = history.steps_of(batch, found)
            if not isinstance(evolution, InterestEvolution):
                ends.append(segment_mean(keys_LK, segments))
                continue
            last_BH, interests_LH = evolution(keys_LK, history.query_of(found.pooled), segments)
            ends.append(last_BH)
            if auxiliary:
                losses.append(evolution.auxiliary_loss(keys_LK, interests_LH, segments))
        logits: Tensor = self.top(beside(batch.dense, found.pooled, *ends)).squeeze(1)
        return logits, losses


@register_preset("dien-paper", model="dien", inputs=dien_inputs)
def dien_paper(inputs: Inputs) -> DIENConfig:
    """Size DIEN as DeepRecSys does: D 32, H 64, 200-80 (its two outputs are one here, see ``din_paper``)."""
    return _sized(inputs, 32)


@register_preset("dien-amazon", model="dien", inputs=dien_inputs, aliases=("dien",))
def dien_amazon(inputs: Inputs) -> DIENConfig:
    """Size DIEN as its code does for the Amazon data: D 18, H 36 (item and category side by side), 200-80."""
    return _sized(inputs, 18, hidden=36)


@register_preset("dien-small", model="dien", inputs=dien_inputs)
def dien_small(inputs: Inputs) -> DIENConfig:
    """Size DIEN for demonstrations and tests: D 16, H 16, 64-32."""
    return _sized(inputs, 16, hidden=16, top=(64, 32, 1))


def _sized(
    inputs: Inputs, width: int, *, hidden: int = 64, top: tuple[int, ...] = (200, 80, 1)
) -> DIENConfig:
    require_history(inputs)
    return DIENConfig(**input_fields(inputs, width), hidden=hidden, top=top)
