"""Two towers, of the user and of the item: the retrieval model.

Paper: https://doi.org/10.1145/3298689.3346996 (Yi et al., RecSys 2019).

    u     = normalise(user([dense, e of the user's features]))            (B, V), length 1
    v     = normalise(item(e of the item's features))                     (B, V), length 1
    logit = exp(log_scale) <u, v> + bias                                  (B,)

exp(log_scale) is the inverse of the paper's temperature, here learnt; the bias lets pairs at right angles
have any probability. Neither changes the order of items: the best for a user are those of the largest
inner product <u, v>, which an index of the items' vectors finds.

Shapes: B batch, D embedding width, V width of the towers' vectors, N dense features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hotrow.errors import ConfigError
from hotrow.layers.beside import beside
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import MisfitError, ModelConfig, RankingModel, input_fields
from hotrow.models.checks import common_width, require_widths
from hotrow.models.paper_inputs import movielens_1m
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs

_SCALE = 5.0  # at the start: logits within +-5
_ITEMS = ("item", "year", "genres")


@dataclass(frozen=True, kw_only=True)
class TwoTowerConfig(ModelConfig):
    """Sizes of a two-tower model.

    Attributes:
        tables: all of one width D.
        item_features: names of the categorical and list features that describe the item; all others, and
            the dense ones, describe the user.
        tower: widths of each tower after its input; the last is V.
    """

    paper: ClassVar[str] = "https://doi.org/10.1145/3298689.3346996"

    item_features: tuple[str, ...]
    tower: tuple[int, ...] = (1024, 512, 128)

    def __post_init__(self) -> None:
        super().__post_init__()
        common_width(self)
        require_widths("tower", self.tower)
        if not self.tower:
            raise ConfigError("tower", self.tower, "at least one width")
        names, items = self.pooled_names, set(self.item_features)
        if items - set(names):
            raise ConfigError("item_features", sorted(items - set(names)), f"some of {', '.join(names)}")
        if not items or (len(items) == len(names) and self.num_dense == 0):
            expected = "at least one feature, and one left for the user"
            raise ConfigError("item_features", self.item_features, expected)

    @property
    def pooled_names(self) -> tuple[str, ...]:
        """Names of the features in the order in which they are looked up."""
        tables = self.main_tables[: self.num_categorical]
        return (*(table.name for table in tables), *(feature.name for feature in self.lists))

    @property
    def user_sizes(self) -> tuple[int, ...]:
        """Widths of the user's tower from its input on."""
        features = self.num_pooled - len(set(self.item_features))
        return (self.num_dense + features * common_width(self), *self.tower)

    @property
    def item_sizes(self) -> tuple[int, ...]:
        """Widths of the item's tower from its input on."""
        return (len(set(self.item_features)) * common_width(self), *self.tower)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of both towers and the inner product."""
        parameters = mlp_parameters(self.user_sizes) + mlp_parameters(self.item_sizes) + 2
        flop = mlp_flop(self.user_sizes) + mlp_flop(self.item_sizes)
        return parameters, flop + 2 * self.tower[-1]


@register("two-tower", TwoTowerConfig)
class TwoTower(RankingModel):
    """A vector of the user, a vector of the item, and their inner product.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    def __init__(self, config: TwoTowerConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.user = MLP(config.user_sizes, activate_last=False, generator=generator)
        self.item = MLP(config.item_sizes, activate_last=False, generator=generator)
        self.log_scale = nn.Parameter(torch.full((1,), math.log(_SCALE), device="cpu"))
        self.bias = nn.Parameter(torch.zeros(1, device="cpu"))
        self._width = common_width(config)
        self._is_item = [name in config.item_features for name in config.pooled_names]

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        users, items = self._columns(self.embed(batch).pooled)
        cosine = (self._user_vectors(batch.dense, users) * self._item_vectors(items)).sum(dim=1)
        return self.log_scale.exp() * cosine + self.bias

    def user_vectors(self, batch: Batch) -> Tensor:
        """Return the users' vectors, (B, V) of length 1; what a batch says of items plays no part."""
        return self._user_vectors(batch.dense, self._columns(self.embed(batch).pooled)[0])

    def item_vectors(self, batch: Batch) -> Tensor:
        """Return the items' vectors, (B, V) of length 1; what a batch says of users plays no part."""
        return self._item_vectors(self._columns(self.embed(batch).pooled)[1])

    def _columns(self, pooled: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return views (B, D) of the user's and of the item's embeddings."""
        views = torch.split(pooled, self._width, dim=1)
        pairs = [*zip(views, self._is_item, strict=True)]
        return [view for view, item in pairs if not item], [view for view, item in pairs if item]

    def _user_vectors(self, dense_BN: Tensor, embedded: list[Tensor]) -> Tensor:
        return F.normalize(self.user(beside(dense_BN, *embedded)), dim=1)

    def _item_vectors(self, embedded: list[Tensor]) -> Tensor:
        return F.normalize(self.item(beside(*embedded)), dim=1)


def items_features(inputs: Inputs) -> tuple[str, ...]:
    """Return the features that describe the item, as far as names tell.

    They are ``item``, those called ``item_...``, and MovieLens' ``year`` and ``genres``. Where others do,
    give a configuration its ``item_features``.

    Raises:
        MisfitError: there is no ``item`` or ``item_...``, or nothing else to describe the user by.
    """
    names = (*inputs.names, *(feature.name for feature in inputs.lists))
    if not any(name == "item" or name.startswith("item_") for name in names):
        raise MisfitError("a feature `item` or `item_...`")
    found = tuple(name for name in names if name in _ITEMS or name.startswith("item_"))
    if len(found) == len(names) and inputs.num_dense == 0:
        raise MisfitError("a feature of the user")
    return found


@register_preset("two-tower-paper", model="two-tower", inputs=movielens_1m)
def two_tower_paper(inputs: Inputs) -> TwoTowerConfig:
    """Size as the paper: 1024-512-128 twice; D 64."""
    return TwoTowerConfig(**input_fields(inputs, 64), item_features=items_features(inputs))


@register_preset("two-tower-small", model="two-tower", inputs=movielens_1m, aliases=("two-tower",))
def two_tower_small(inputs: Inputs) -> TwoTowerConfig:
    """Size for small data and tests: D 16, 64-32 twice."""
    return TwoTowerConfig(**input_fields(inputs, 16), item_features=items_features(inputs), tower=(64, 32))
