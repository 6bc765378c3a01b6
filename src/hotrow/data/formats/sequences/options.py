"""How sequences of items are prepared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hotrow.data.sampling import MAX_NEGATIVES
from hotrow.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SequenceOptions:
    """Which rows are made of each user's items.

    Attributes:
        layout: of the file: ``lines`` of a user and all its items, ``triples`` of user, item and timestamp,
            or ``auto``: triples if there is a TAB or a comma in the first line.
        ids: users and items are ``integer`` (whole numbers) or ``text``.
        negatives: items that the user never interacted with, after each positive of the training split.
        eval_negatives: the same, all different, in the validation and test splits.
        max_history: so many of the items before a target, the newest, are its history.
        targets_per_user: so many of a user's training targets are taken, the newest; None for all.
        seed: of the negatives.
    """

    layout: Literal["auto", "lines", "triples"] = "auto"
    ids: Literal["integer", "text"] = "integer"
    negatives: int = 1
    eval_negatives: int = 99
    max_history: int = 50
    targets_per_user: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"negatives": 0, "eval_negatives": 1, "max_history": 1, "targets_per_user": 1, "seed": 0}
        for name, minimum in least.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ConfigError(name, value, f"at least {minimum}")
        if self.negatives > MAX_NEGATIVES:
            raise ConfigError("negatives", self.negatives, f"at most {MAX_NEGATIVES}")
