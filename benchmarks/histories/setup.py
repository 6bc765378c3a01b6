"""What is prepared, which models are trained on it, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Source:
    """A data set and how it is prepared.

    Attributes:
        name: how results call it.
        folder: of its files.
        files: their names.
        format: of ``hotrow prepare``.
        settings: of the format.
    """

    name: str
    folder: str
    files: tuple[str, ...]
    format: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Variant:
    """A model as it is compared.

    Attributes:
        name: how results call it.
        preset: of the zoo.
        settings: on top of the common ones.
    """

    name: str
    preset: str
    settings: Mapping[str, str] = field(default_factory=dict)


_SEQUENCES = {"eval_negatives": "19", "max_history": "50"}

SOURCES: Final = (
    Source(
        "Amazon Beauty", "seq-amazon", ("Beauty.txt", "Beauty_item2attributes.json"), "sequences", _SEQUENCES
    ),
    Source(
        "Amazon Toys",
        "seq-amazon",
        ("Toys_and_Games.txt", "Toys_and_Games_item2attributes.json"),
        "sequences",
        _SEQUENCES,
    ),
    Source(
        "MovieLens-100K",
        "ml-100k",
        ("ml-100k.inter", "ml-100k.user", "ml-100k.item"),
        "movielens",
        {"split": "time", "history": "50"},
    ),
)

ATTENTION: Final = "DIN"
ABLATION: Final = "DIN, mean instead of attention"
RECURRENT: Final = "DIEN"

VARIANTS: Final = (
    Variant(ATTENTION, "din-small", {"model.softmax": "true"}),
    Variant(ABLATION, "din-small", {"model.attention": "false"}),
    Variant(RECURRENT, "dien-small", {"dense.lr": "0.003"}),
)

COMMON: Final = {
    "model.width": "16",
    "batch_size": "1024",
    "epochs": "3",
    "tables.kind": "adam",
    "tables.lr": "0.01",
    "tables.eps": "1e-8",
    "dense.kind": "adam",
    "dense.lr": "0.001",
    "schedule.warmup": "0",
    "validation.per_epoch": "2",
    "validation.metric": "gauc",
    "validation.max_rows": "60000",
    "checkpoints.per_epoch": "1",
}
