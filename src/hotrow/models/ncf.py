"""NCF: neural collaborative filtering.  Paper: https://arxiv.org/abs/1708.05031.

    p, q    = embeddings of user and item                          (B, D) each
    GMF:    z = p * q, element by element                          (B, D)
    MLP:    z = mlp([p', q'])                                      (B, last of mlp)
    NeuMF:  z = [p * q, mlp([p', q'])], each branch with tables of its own
    logit   = final(z)                                             (B,)

The paper's final layer is one linear map; DeepRecSys has a layer of 64 before it (harvard-acc/DeepRecSys
at 1383176), and sums in its matrix-factorisation branch, which here multiplies as in the paper.

Shapes: B batch, F categorical features, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from hotrow.embedding import FeatureConfig, TableConfig
from hotrow.errors import ConfigError
from hotrow.layers.beside import beside
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters
from hotrow.models.base import MisfitError, ModelConfig, RankingModel
from hotrow.models.checks import require_widths
from hotrow.models.paper_inputs import ncf_inputs
from hotrow.models.registry import register, register_preset
from hotrow.types import Batch, Inputs

Kind = Literal["gmf", "mlp", "neumf"]

GMF = "gmf."
"""What the names of NeuMF's tables for its GMF branch start with."""


@dataclass(frozen=True, kw_only=True)
class NCFConfig(ModelConfig):
    """Sizes of an NCF. Of the data's features it looks at two.

    Attributes:
        tables: of user and item; for NeuMF those of the MLP branch, then ``gmf.<user>`` and
            ``gmf.<item>``.
        data: all inputs of the data.
        user: the categorical feature that is the user.
        item: the categorical feature that is the item. With another user or item the tables become theirs.
        kind: ``gmf``, ``mlp``, or ``neumf``: both.
        mlp: widths of the MLP branch after its input.
        final: widths from the branches to the logit; the last is 1.
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1708.05031"

    data: Inputs
    user: str
    item: str
    kind: Kind = "neumf"
    mlp: tuple[int, ...] = (256, 128, 64)
    final: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, name in (("user", self.user), ("item", self.item)):
            if name not in self.data.names:
                raise ConfigError(field, name, f"one of {', '.join(self.data.names)}")
        if self.user == self.item:
            raise ConfigError("item", self.item, "another feature than the user")
        names = self._table_names()
        if len(self.tables) != len(names):
            expected = f"{len(names)} tables of {self.kind}; ncf-{self.kind} is the preset that has them"
            raise ConfigError("tables", len(self.tables), expected)
        object.__setattr__(self, "tables", self._tables_of(names))
        for first in range(0, len(names), 2):
            widths = [table.width for table in self.tables[first : first + 2]]
            if widths[0] != widths[1]:
                raise ConfigError("tables", widths, "one width for user and item")
        require_widths("mlp", self.mlp)
        if not self.mlp and self.kind != "gmf":
            raise ConfigError("mlp", self.mlp, "at least one width")
        require_widths("final", self.final, last=1)

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of user and item among the categorical features, for every pair of tables."""
        pair = (self.data.names.index(self.user), self.data.names.index(self.item))
        return pair * (len(self.tables) // 2)

    @property
    def mlp_sizes(self) -> tuple[int, ...]:
        """Widths of the MLP branch from its input on; none of GMF."""
        return () if self.kind == "gmf" else (2 * self.tables[0].width, *self.mlp)

    @property
    def final_sizes(self) -> tuple[int, ...]:
        """Widths of the last network from its input on."""
        product = 0 if self.kind == "mlp" else self.tables[-1].width
        return (product + (0 if self.kind == "gmf" else self.mlp_sizes[-1]), *self.final)

    def inputs(self) -> Inputs:
        """Return the inputs of its data."""
        return self.data

    def features(self) -> tuple[FeatureConfig, ...]:
        """Return what is looked up: user and item, in every pair of tables."""
        return tuple(FeatureConfig(name=table.name, table=table.name) for table in self.tables)

    def network_facts(self) -> tuple[int, int]:
        """Return parameters and FLOP per item of the networks."""
        sizes = (self.mlp_sizes, self.final_sizes)
        return sum(map(mlp_parameters, sizes)), sum(map(mlp_flop, sizes))

    def _table_names(self) -> tuple[str, ...]:
        pair = (self.user, self.item)
        return (*pair, *(GMF + name for name in pair)) if self.kind == "neumf" else pair

    def _tables_of(self, names: tuple[str, ...]) -> tuple[TableConfig, ...]:
        rows = dict(zip(self.data.names, self.data.rows, strict=True))
        return tuple(
            replace(table, name=name, rows=rows[source])
            for table, name, source in zip(self.tables, names, (self.user, self.item) * 2, strict=False)
        )


@register("ncf", NCFConfig)
class NCF(RankingModel):
    """Product and network of user and item, and a last network.

    Args:
        config: sizes.
        embeddings: the tables.
        seed: of the networks' initial weights.
    """

    columns: Tensor

    def __init__(self, config: NCFConfig, embeddings: nn.Module, *, seed: int = 0) -> None:
        super().__init__(config, embeddings)
        generator = torch.Generator().manual_seed(seed)
        self.config = config
        if config.mlp_sizes:
            self.mlp = MLP(config.mlp_sizes, activate_last=True, generator=generator, zero_bias=True)
        product = [] if config.kind == "mlp" else [table.width for table in config.tables[-2:]]
        self._widths = [*config.mlp_sizes[:1], *product]
        self.final = MLP(config.final_sizes, activate_last=False, generator=generator, zero_bias=True)
        self.register_buffer("columns", torch.tensor(config.columns), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits, (B,) float32."""
        # Split in one go: the gradient of each slice by itself would be as wide as all together.
        parts = list(torch.split(self.embed(batch).pooled, self._widths, dim=1))
        found = []
        if self.config.kind != "mlp":
            q_BD, p_BD = parts.pop(), parts.pop()
            found.append(self.product(p_BD, q_BD))
        if self.config.kind != "gmf":
            found.append(self.mlp(parts[0]))
        logits: Tensor = self.final(beside(*found)).squeeze(1)
        return logits

    @staticmethod
    def product(p_BD: Tensor, q_BD: Tensor) -> Tensor:
        """Return what GMF makes of user and item: the product, element by element."""
        return p_BD * q_BD

    def bags(self, batch: Batch) -> Tensor:
        """Return the ids of user and item, for every pair of tables."""
        return batch.ids.index_select(1, self.columns)


def ncf_config(inputs: Inputs, kind: Kind, *, factors: int, user: str = "", item: str = "") -> NCFConfig:
    """Size NCF for a number of predictive factors as its authors' code does.

    GMF's tables have that width; the MLP's have four times as much, its layers 4, 2 and 1 times
    (hexiangnan/neural_collaborative_filtering at 04cc6b7: 64 numbers of user and item, then 32-16-8).

    Args:
        inputs: of the data.
        kind: which branches.
        factors: predictive factors: 8, 16, 32 or 64 in the paper.
        user: the user's feature; empty: ``user``, or the first of two categorical ones.
        item: the item's feature; empty: ``item``, or the second of two.

    Raises:
        MisfitError: it is not clear which two categorical features are meant.
        ConfigError: there is no such feature.
    """
    mlp = (4 * factors, 2 * factors, factors)
    return _sized(inputs, kind, widths=(4 * factors, factors), mlp=mlp, user=user, item=item)


@register_preset("ncf-gmf", model="ncf", inputs=ncf_inputs)
def ncf_gmf(inputs: Inputs) -> NCFConfig:
    """Size GMF with 64 factors, the paper's largest."""
    return ncf_config(inputs, "gmf", factors=64)


@register_preset("ncf-mlp", model="ncf", inputs=ncf_inputs)
def ncf_mlp(inputs: Inputs) -> NCFConfig:
    """Size the MLP alone with 64 factors: tables of 256, 256-128-64."""
    return ncf_config(inputs, "mlp", factors=64)


@register_preset("ncf-neumf", model="ncf", inputs=ncf_inputs, aliases=("ncf",))
def ncf_neumf(inputs: Inputs) -> NCFConfig:
    """Size NeuMF with 64 factors in each branch."""
    return ncf_config(inputs, "neumf", factors=64)


@register_preset("ncf-paper", model="ncf", inputs=ncf_inputs)
def ncf_paper(inputs: Inputs) -> NCFConfig:
    """Size NeuMF as DeepRecSys does: D 64 everywhere, 256-256-128-64, then 64-1."""
    return _sized(inputs, "neumf", widths=(64, 64), mlp=(256, 256, 128, 64), final=(64, 1))


@register_preset("ncf-small", model="ncf", inputs=ncf_inputs)
def ncf_small(inputs: Inputs) -> NCFConfig:
    """Size NeuMF for demonstrations and tests: 8 factors, the paper's smallest."""
    return ncf_config(inputs, "neumf", factors=8)


def _sized(
    inputs: Inputs,
    kind: Kind,
    *,
    widths: tuple[int, int],
    mlp: tuple[int, ...],
    final: tuple[int, ...] = (1,),
    user: str = "",
    item: str = "",
) -> NCFConfig:
    """Return NCF with tables of the MLP branch and of the GMF branch of the given widths."""
    if not (user and item):
        first, second = _pair(inputs.names)
        user, item = user or first, item or second
    of_kind = {"gmf": widths[1:], "mlp": widths[:1], "neumf": widths}[kind]
    # Names and rows are those of user and item; the configuration fills them in.
    tables = tuple(TableConfig(name="", rows=1, width=width) for width in of_kind for _ in range(2))
    return NCFConfig(
        tables=tables,
        tasks=inputs.tasks[:1],
        data=inputs,
        user=user,
        item=item,
        kind=kind,
        mlp=mlp,
        final=final,
    )


def _pair(names: tuple[str, ...]) -> tuple[str, str]:
    """Return which categorical features are the user and the item, where nobody says so."""
    if "user" in names and "item" in names:
        return "user", "item"
    if len(names) != 2:
        raise MisfitError("two categorical features, or `user` and `item` among them")
    return names[0], names[1]
