"""Who interacted with what, and when: what files of ratings hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats._runs import places_from_end, run_lengths
from hotrow.errors import ConfigError, DataError

SplitKind = Literal["time", "random", "leave_one_out"]
TRAIN_SHARE, VALID_SHARE = 0.8, 0.1
"""Of the rows, when they are split by time or at random; the rest is the test split."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """R interactions.

    Attributes:
        source: the file they are from, for messages.
        users: (R,) int64.
        items: (R,) int64.
        liked: (R,) whether the user liked the item.
        times: (R,) float64, or None where the file has none.
    """

    source: Path
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    liked: NDArray[np.bool_]
    times: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray[Any]) -> Interactions:
        """Return some of them."""
        times = None if self.times is None else self.times[rows]
        return replace(
            self, users=self.users[rows], items=self.items[rows], liked=self.liked[rows], times=times
        )

    def require_times(self, option: str, value: object, instead: str) -> NDArray[np.float64]:
        """Return the times.

        Raises:
            ConfigError: there are none; names the option that needs them.
        """
        if self.times is None:
            raise ConfigError(option, value, f"{instead}, since {self.source} has no timestamps")
        return self.times


def split_interactions(
    interactions: Interactions, kind: SplitKind, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each split.

    ``time`` takes them by time (equal times in file order), the oldest for training; ``random``
    shuffles them; ``leave_one_out`` tests on each user's last interaction and validates on the one before,
    except of users with fewer than three, who stay in the training split.

    Raises:
        ConfigError: times are needed and there are none.
        DataError: there are too few interactions.
    """
    if kind == "random":
        order = np.random.default_rng(seed).permutation(len(interactions))
        splits = _cut(order)
    else:
        times = interactions.require_times("split", kind, "random")
        if kind == "time":
            splits = _cut(np.argsort(times, kind="stable"))
        else:
            splits = _last_ones(interactions.users, times)
    for name, rows in splits.items():
        if not len(rows):
            raise DataError(
                interactions.source, f"{len(interactions)} interactions leave none for the {name} split"
            )
    return splits


def _cut(order: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    first = int(len(order) * TRAIN_SHARE)
    second = int(len(order) * (TRAIN_SHARE + VALID_SHARE))
    return {"train": order[:first], "valid": order[first:second], "test": order[second:]}


def _last_ones(users: NDArray[np.int64], times: NDArray[np.float64]) -> dict[str, NDArray[np.int64]]:
    order = np.lexsort((times, users))
    left = places_from_end(users[order])
    is_long = run_lengths(users[order]) >= 3
    is_test, is_valid = is_long & (left == 0), is_long & (left == 1)
    return {"train": order[~(is_test | is_valid)], "valid": order[is_valid], "test": order[is_test]}
