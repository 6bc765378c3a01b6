"""Each user's earlier events, as slices of one flat array in order of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Histories:
    """What B rows know of the past.

    Attributes:
        order: (V,) positions of the events, by user, then time, then as they were given: the flat array.
        starts: (B,) where each row's slice of it begins.
        lengths: (B,) how long it is.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


def earlier_events(
    event_users: NDArray[np.int64],
    event_times: NDArray[np.float64],
    users: NDArray[np.int64],
    times: NDArray[np.float64],
    max_length: int,
) -> Histories:
    """Find for each row the user's last events that are strictly earlier.

    Of two events at the same time neither knows the other.

    Args:
        event_users: (V,) whose events they are.
        event_times: (V,) when they were.
        users: (B,) the rows' users.
        times: (B,) their times.
        max_length: of a slice; the oldest events are left out.
    """
    # One number per event whose order is that of (user, time); searching it answers both questions.
    codes = np.unique(np.concatenate((event_users, users)), return_inverse=True)[1]
    ranks, rank_of = np.unique(np.concatenate((event_times, times)), return_inverse=True)
    points = codes * len(ranks) + rank_of
    events, rows = points[: len(event_users)], points[len(event_users) :]
    order = np.argsort(events, kind="stable")
    events = events[order]
    stops = np.searchsorted(events, rows)
    firsts = np.searchsorted(events, codes[len(event_users) :] * len(ranks))
    lengths = np.minimum(stops - firsts, max_length)
    return Histories(order, stops - lengths, lengths)
