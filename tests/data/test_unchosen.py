from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data._unchosen import UnchosenItems

Pairs = list[tuple[int, int]]


def _make(pairs: Pairs, *, least: int = 0) -> UnchosenItems:
    users, items = np.array(pairs, dtype=np.int32).T
    return UnchosenItems(users, items, least=least)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), min_size=1, max_size=60),
    seed=st.integers(0, 2**40),
)
def test_every_item_left_to_a_user_and_no_other_is_drawn(pairs: Pairs, seed: int) -> None:
    unchosen = _make(pairs, least=2)
    occurring = {item for _, item in pairs if item >= 2}
    assert unchosen.items.tolist() == sorted(occurring)
    for user in {user for user, _ in pairs}:
        left = occurring - {item for other, item in pairs if other == user}
        if left:
            drawn = unchosen.draw(np.full(40 * len(left), user, np.int32), np.random.default_rng(seed))
            assert drawn.dtype == np.int32
            assert set(drawn.tolist()) <= left
            if len(left) == 1:
                assert set(drawn.tolist()) == left


@pytest.mark.parametrize("chosen", [0, 30, 1990], ids=["few", "some", "nearly all"])
def test_draws_are_uniform(chosen: int) -> None:
    """Also of a user for whom redrawing gives up and lists what is left."""
    everything = [(0, item) for item in range(2000)]
    unchosen = _make([*everything, *((1, item) for item in range(chosen)), (2, 0)])
    left = 2000 - chosen if chosen else 1999
    draws = 200 * left if left < 100 else 20 * left
    user = 1 if chosen else 2
    drawn = unchosen.draw(np.full(draws, user, np.int32), np.random.default_rng(4))
    counts = np.bincount(drawn, minlength=2000)[2000 - left :]
    assert counts.sum() == draws
    expected = draws / left
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi_square - left) < 5 * np.sqrt(2 * left)


def test_users_are_drawn_for_one_by_one() -> None:
    unchosen = _make([(0, 0), (0, 1), (1, 2), (1, 3), (2, 0)])
    users = np.random.default_rng(1).integers(0, 3, 3000)
    drawn = unchosen.draw(users, np.random.default_rng(2))
    for user, left in enumerate(({2, 3}, {0, 1}, {1, 2, 3})):
        assert set(drawn[users == user].tolist()) == left


def test_a_user_who_chose_everything_is_told() -> None:
    assert _make([(3, 5), (3, 6), (4, 5)]).without_choice() == 3
    assert _make([(3, 5), (4, 6)]).without_choice() is None
    assert _make([(3, 1), (4, 1)], least=2).without_choice() is not None  # nothing to be drawn at all
    assert _make([(3, 0), (3, 1), (3, 5), (4, 6)], least=2).without_choice() is None


def test_pairs_need_no_more_than_64_bits() -> None:
    top = 2**31 - 1
    unchosen = _make([(top, top), (top - 1, top - 1)])
    drawn = unchosen.draw(np.array([top, top - 1]), np.random.default_rng(0))
    assert drawn.tolist() == [top - 1, top]
