from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.formats._histories import earlier_events

EVENTS = st.lists(st.tuples(st.integers(-2, 3), st.integers(0, 4)), max_size=25)


@given(events=EVENTS, rows=EVENTS, max_length=st.integers(1, 6))
def test_histories_are_the_last_strictly_earlier_events(
    events: list[tuple[int, int]], rows: list[tuple[int, int]], max_length: int
) -> None:
    event_users, event_times = (np.array([event[at] for event in events]) for at in (0, 1))
    users, times = (np.array([row[at] for row in rows]) for at in (0, 1))
    found = earlier_events(
        event_users.astype(np.int64),
        event_times.astype(float),
        users.astype(np.int64),
        times.astype(float),
        max_length,
    )
    slices = [
        found.order[start : start + length].tolist()
        for start, length in zip(found.starts.tolist(), found.lengths.tolist(), strict=True)
    ]
    for (user, time), history in zip(rows, slices, strict=True):
        earlier = [(when, at) for at, (who, when) in enumerate(events) if who == user and when < time]
        assert history == [at for _, at in sorted(earlier)][-max_length:]
