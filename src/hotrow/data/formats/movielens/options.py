"""How MovieLens is prepared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hotrow.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class MovieLensOptions:
    """What is learnt of MovieLens, and how it is split.

    Attributes:
        task: ``like`` learns whether a user likes a movie (label 1 from ``like_at`` on) of those rated;
            ``implicit`` takes every interaction as a positive. The training split then holds positives only
            (whoever trains samples negatives), the others ``eval_negatives`` unseen movies after each
            positive.
        like_at: from which rating on a user likes a movie.
        split: ``time`` (the oldest 80% for training, then 10% and 10%), ``random`` (the same shares, shuffled
            by ``seed``), ``leave_one_out`` (each user's last interaction is test, the one before validation),
            ``ncf`` (the published files of He et al., WWW 2017: their test positives with their 99 negatives;
            validation on one training positive of each user, held out by ``seed``).
        features: ``ids`` for user and item alone, ``all`` for what else the files tell of them.
        history: how many of the movies that the user liked (``implicit``: saw) before are a list feature
            ``history``; 0 for no such feature.
        eval_negatives: see ``task``.
        seed: of everything random.
    """

    task: Literal["like", "implicit"] = "like"
    like_at: float = 4.0
    split: Literal["time", "random", "leave_one_out", "ncf"] = "time"
    features: Literal["ids", "all"] = "all"
    history: int = 0
    eval_negatives: int = 99
    seed: int = 0

    def __post_init__(self) -> None:
        if not math.isfinite(self.like_at):
            raise ConfigError("like_at", self.like_at, "a rating")
        if self.history < 0:
            raise ConfigError("history", self.history, "a number of movies, or 0 for no history")
        if self.eval_negatives < 1:
            raise ConfigError("eval_negatives", self.eval_negatives, "at least 1")
        if self.seed < 0:
            raise ConfigError("seed", self.seed, "at least 0")
        if self.history and self.split not in ("time", "leave_one_out"):
            expected = "time or leave_one_out: otherwise histories would hold what is to be predicted"
            raise ConfigError("split", self.split, expected)
        if self.split == "ncf" and self.task != "implicit":
            raise ConfigError("task", self.task, "implicit, since split is ncf, whose files have no ratings")
