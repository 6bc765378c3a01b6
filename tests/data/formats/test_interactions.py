from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.formats._interactions import Interactions, split_interactions
from hotrow.errors import ConfigError, DataError

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=10, max_size=40)


def interactions(events: list[tuple[int, int]], *, timed: bool = True) -> Interactions:
    users, times = np.array(events, dtype=np.int64).T
    liked = np.ones(len(users), dtype=np.bool_)
    return Interactions(Path("log"), users, users + 1, liked, times.astype(float) if timed else None)


@given(events=EVENTS)
def test_by_time_no_row_is_older_than_one_of_the_split_before(events: list[tuple[int, int]]) -> None:
    splits = split_interactions(interactions(events), "time", 0)
    order = np.concatenate(list(splits.values())).tolist()
    assert order == sorted(range(len(events)), key=lambda row: events[row][1])
    assert [len(splits[name]) for name in ("train", "valid")] == [
        int(len(events) * 0.8),
        int(len(events) * 0.9) - int(len(events) * 0.8),
    ]


@given(events=EVENTS)
def test_the_last_two_of_users_with_three_or_more_are_left_out(events: list[tuple[int, int]]) -> None:
    expected: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    for user in range(4):
        rows = sorted((at for at, (who, _) in enumerate(events) if who == user), key=lambda at: events[at][1])
        judged = len(rows) >= 3
        expected["train"] += rows[:-2] if judged else rows
        expected["valid"] += rows[-2:-1] if judged else []
        expected["test"] += rows[-1:] if judged else []
    splits = split_interactions(interactions(events), "leave_one_out", 0)
    assert {name: sorted(rows.tolist()) for name, rows in splits.items()} == {
        name: sorted(rows) for name, rows in expected.items()
    }


def test_at_random_every_row_is_in_one_split_and_the_seed_decides() -> None:
    log = interactions([(1, at) for at in range(50)], timed=False)
    first, again, other = (split_interactions(log, "random", seed) for seed in (1, 1, 2))
    assert sorted(np.concatenate(list(first.values())).tolist()) == list(range(50))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["train"], other["train"])


def test_what_cannot_be_split() -> None:
    with pytest.raises(ConfigError, match=r"split: got 'time', expected random, since log has no timestamps"):
        split_interactions(interactions([(1, 2)] * 20, timed=False), "time", 0)
    with pytest.raises(DataError, match=r"log: 2 interactions leave none for the valid split"):
        split_interactions(interactions([(1, 2), (2, 3)]), "leave_one_out", 0)
