"""Each user's items in order of time: what both kinds of file come to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats._runs import run_starts


@dataclass(frozen=True, slots=True)
class Events:
    """V events of U users, user by user, of each the oldest first.

    Attributes:
        source: the file, for messages.
        users: (V,) uint64 keys.
        items: (V,) uint64 keys.
        earlier: (V,) how many events of the same user are strictly earlier.
    """

    source: Path
    users: NDArray[np.uint64]
    items: NDArray[np.uint64]
    earlier: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.users)


def in_order_of_time(
    source: Path, users: NDArray[np.uint64], items: NDArray[np.uint64], times: NDArray[np.float64]
) -> Events:
    """Sort events given in any order; of equal times neither is earlier than the other."""
    order = np.lexsort((times, users))
    users, items, times = users[order], items[order], times[order]
    starts = run_starts(users)
    is_tied = np.zeros(len(users), dtype=np.bool_)
    is_tied[1:] = (users[1:] == users[:-1]) & (times[1:] == times[:-1])
    places = np.arange(len(users))
    first_of_tie = np.maximum.accumulate(np.where(is_tied, 0, places))
    return Events(source, users, items, first_of_tie - starts)
