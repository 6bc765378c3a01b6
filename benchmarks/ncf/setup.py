"""The three models' sizes and how they are trained.

Chosen on the validation split, seed 1, among a dozen settings. The MLP alone learns slowest; eight epochs
are what minutes allow, not its best.
"""

from __future__ import annotations

from dataclasses import replace

from hotrow.models.ncf import Kind, NCFConfig, ncf_config
from hotrow.train import Recipe, make_recipe
from hotrow.types import Inputs

KINDS: tuple[Kind, ...] = ("gmf", "mlp", "neumf")
NEGATIVES = 4
"""As published."""

COMMON = {
    "batch_size": "1024",
    "sampling.negatives": str(NEGATIVES),
    "tables.kind": "adam",
    "tables.eps": "1e-8",
    "dense.kind": "adam",
    "dense.lr": "0.003",
    "validation.per_epoch": "1",
    "checkpoints.per_epoch": "1",
    "checkpoints.keep_last": "1",
    "checkpoints.keep_best": "false",
    "log_every": "965",
}
"""Batches of 1024 positives: 5120 rows, 965 steps an epoch."""

OWN: dict[Kind, dict[str, str]] = {
    "gmf": {"epochs": "5", "tables.lr": "0.012", "tables.weight_decay": "2e-6"},
    "mlp": {"epochs": "8", "tables.lr": "0.02", "tables.weight_decay": "2e-7", "dense.lr": "0.005"},
    "neumf": {"epochs": "5", "tables.lr": "0.012", "tables.weight_decay": "2e-6"},
}


def make(kind: Kind, inputs: Inputs, *, seed: int) -> Recipe:
    """Return a model and how it is trained."""
    recipe = make_recipe(f"ncf-{kind}", inputs, settings=COMMON | OWN[kind] | {"seed": str(seed)})
    return replace(recipe, model=_sized(kind, inputs))


def _sized(kind: Kind, inputs: Inputs) -> NCFConfig:
    """Return GMF of 64 factors; MLP with tables of 32 and layers 64-32-16; both for NeuMF."""
    config = ncf_config(inputs, kind, factors=8)
    widths = {"gmf": (64,), "mlp": (32,), "neumf": (32, 64)}[kind]
    pairs = zip(config.tables, (width for width in widths for _ in range(2)), strict=True)
    tables = tuple(replace(table, width=width) for table, width in pairs)
    return replace(config, tables=tables, mlp=(32, 16))
