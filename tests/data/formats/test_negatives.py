from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.formats._negatives import UnseenItems
from hotrow.errors import DataError

PAIRS = st.lists(st.tuples(st.integers(3, 6), st.integers(-5, 20)), min_size=1, max_size=40)


@given(pairs=PAIRS, seed=st.integers(0, 9))
def test_negatives_are_unseen_and_distinct_ones_different(pairs: list[tuple[int, int]], seed: int) -> None:
    users, items = np.array(pairs).T
    seen = UnseenItems(users, items, Path("log"))
    assert seen.items.tolist() == sorted(set(items.tolist()))
    unseen = {user: set(items.tolist()) - {i for u, i in pairs if u == user} for user in users.tolist()}
    count = min(map(len, unseen.values()))
    rng = np.random.default_rng(seed)
    if count == 0:
        with pytest.raises(DataError, match=r"log: user \d+ has interacted with all but 0 of"):
            seen.sample(users, 1, rng)
        return
    for user, row in zip(users.tolist(), seen.sample(users, 3, rng).tolist(), strict=True):
        assert set(row) <= unseen[user]
    for user, row in zip(users.tolist(), seen.sample_distinct(users, count, rng).tolist(), strict=True):
        assert set(row) <= unseen[user]
        assert len(set(row)) == count
    with pytest.raises(DataError, match=f"expected at least {count + 1} others"):
        seen.sample_distinct(users, count + 1, rng)


def test_every_unseen_item_is_as_likely() -> None:
    users, items = np.array([0] * 4 + [1] * 9), np.array([0, 3, 4, 8, *range(9)])
    seen = UnseenItems(users, items, Path("log"))
    many = np.zeros(20_000, dtype=np.int64)
    rng = np.random.default_rng(0)
    for drawn in (seen.sample(many, 1, rng), seen.sample_distinct(many, 3, rng)):
        shares = np.bincount(drawn.ravel(), minlength=9) / drawn.size
        assert np.abs(shares[[1, 2, 5, 6, 7]] - 0.2).max() < 0.015
        assert shares[[0, 3, 4, 8]].max() == 0


def test_the_seed_decides() -> None:
    users, items = np.repeat(np.arange(20), 5), np.arange(100)
    seen = UnseenItems(users, items, Path("log"))
    first, again, other = (seen.sample_distinct(users, 9, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
