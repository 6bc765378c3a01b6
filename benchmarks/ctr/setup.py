"""Sizes and rates of the comparison, the same for both libraries where they mean the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def _our_settings() -> Mapping[str, str]:
    """Return hotrow's rates.

    Its Adam moves a row only in the batches that have it; torch's dense Adam, which FuxiCTR uses, goes on
    moving it for some ten steps by its momentum. So the tables' rate is ten times FuxiCTR's.
    """
    return {
        "tables.kind": "adam",
        "tables.lr": "0.04",
        "dense.kind": "adam",
        "dense.lr": "0.004",
        "schedule.warmup": "0",
    }


SAME = {"dcnv2": "dcnv2-small", "deepfm": "deepfm-small"}
"""FuxiCTR's models, and what they are in hotrow."""


@dataclass(frozen=True)
class Setup:
    """How the models are sized and trained.

    Attributes:
        width: D of every table.
        hidden: widths of the deep network.
        crosses: cross layers of DCNv2.
        batch_size: B.
        epochs: at most so many.
        patience: stop after so many validations without a better AUC.
        ours: hotrow's optimizers.
        fuxi_lr: FuxiCTR's one learning rate, of Adam.
        fuxi_l2: FuxiCTR's regularisation of the tables.
    """

    width: int = 16
    hidden: tuple[int, ...] = (256, 128)
    crosses: int = 3
    batch_size: int = 4096
    epochs: int = 5
    patience: int = 2
    ours: Mapping[str, str] = field(default_factory=_our_settings)
    fuxi_lr: float = 4e-3
    fuxi_l2: float = 1e-5


@dataclass(frozen=True)
class Trained:
    """What a training gave, of either library.

    Attributes:
        auc: exact, on the test rows.
        parameters: of the model, tables included.
        seconds: of the whole training, validations included.
        epochs: that were trained.
    """

    auc: float
    parameters: int
    seconds: float
    epochs: float
