"""Multi-task Wide & Deep: one network shared by all tasks, and a tower for each.

Paper: https://doi.org/10.1145/3298689.3346997 (Zhao et al., RecSys 2019), whose baseline this is: a shared
bottom instead of its mixture of experts, sized as DeepRecSys does (harvard-acc/DeepRecSys at 1383176),
which has no wide part.

    x        = [dense, e_1, ..., e_F]                     (B, N + F D); e: one pooled embedding per feature
    h        = shared(x)                                  (B, H)
    logit_k  = tower_k(h)                                 (B,) for each task k

Shapes: B batch, F features (categorical and lists), D embedding width, N dense features, K tasks, H width
of the shared network's output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from hotrow.layers.beside import beside
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import ModelConfig, RankingModel, input_fields
from hotrow.models.checks import common_width, require_two_labels, require_widths
from hotrow.models.paper_inputs import mt_wide_deep_inputs
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs


@dataclass(frozen=True, kw_only=True)
class MTWideDeepConfig(ModelConfig):
    """Sizes of a multi-task Wide & Deep model.

    Attributes:
        tables: all of one width D.
        shared: widths of the shared network after its input; the last is H.
        tower: widths of each task's network after H; the last is 1.
    """

    paper: ClassVar[str] = "https://doi.org/10.1145/3298689.3346997"

    shared: tuple[int, ...] = (1024, 512)
    tower: tuple[int, ...] = (256, 128, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        common_width(self)
        require_widths("shared", self.shared)
        require_widths("tower", self.tower, last=1)

    @property
    def shared_sizes(self) -> tuple[int, ...]:
        """Widths of the shared network from its input on."""
        return (self.joined_width, *self.shared)

    @property
    def tower_sizes(self) -> tuple[int, ...]:
        """Widths of each task's network from its input on."""
        return (self.shared_sizes[-1], *self.tower)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of the shared network and the K towers."""
        parameters = mlp_parameters(self.shared_sizes) + len(self.tasks) * mlp_parameters(self.tower_sizes)
        return parameters, mlp_flop(self.shared_sizes) + len(self.tasks) * mlp_flop(self.tower_sizes)


@register("mt-wide-deep", MTWideDeepConfig)
class MTWideDeep(RankingModel):
    """A shared network and a tower for each task.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: MTWideDeepConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.shared = MLP(config.shared_sizes, activate_last=True, generator=generator)
        self.towers = nn.ModuleList(
            MLP(config.tower_sizes, activate_last=False, generator=generator) for _ in config.tasks
        )

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B, K) float32, tasks in the order of the configuration; (B,) of one task."""
        h_BH = self.shared(beside(batch.dense, self.embed(batch).pooled))
        return beside(*(tower(h_BH) for tower in self.towers)).squeeze(1)


@register_preset("mt-wide-deep-paper", model="mt-wide-deep", inputs=mt_wide_deep_inputs)
def mt_wide_deep_paper(inputs: Inputs) -> MTWideDeepConfig:
    """Size as DeepRecSys: D 32, 1024-512 shared, 256-128-1 for each task."""
    require_two_labels(inputs)
    return MTWideDeepConfig(**input_fields(inputs, 32, tasks=None))


@register_preset(
    "mt-wide-deep-small", model="mt-wide-deep", inputs=mt_wide_deep_inputs, aliases=("mt-wide-deep",)
)
def mt_wide_deep_small(inputs: Inputs) -> MTWideDeepConfig:
    """Size for small data and tests: D 16, 128-64 shared, 32-1 for each task."""
    require_two_labels(inputs)
    return MTWideDeepConfig(**input_fields(inputs, 16, tasks=None), shared=(128, 64), tower=(32, 1))
