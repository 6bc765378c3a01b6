"""Distributions as inverses of their cumulative shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.synth.criteo_tables import IDS, INTEGERS
from hotrow.synth.laws import LEVELS, IdLaw, IntegerLaw, knots

LAWS = st.builds(
    lambda head, more, q, s: IdLaw(rows=len(head) + more, head=tuple(head), q=q, s=s),
    st.lists(st.floats(0.001, 0.09), max_size=8).map(lambda shares: sorted(shares, reverse=True)),
    st.integers(1, 10_000_000),
    st.floats(0.5, 1000),
    st.one_of(st.floats(0.3, 0.98), st.floats(1.02, 6)),
)


@given(LAWS)
def test_ranks_rise_from_the_first_to_the_last(law: IdLaw) -> None:
    ranks = law.ranks(np.linspace(0, 1, 2001)[:-1])
    assert ranks.dtype == np.int32
    assert ranks[0] == 0
    assert np.all(np.diff(ranks) >= 0)
    assert ranks.max() < law.rows


@given(LAWS)
def test_tail_shares_invert_ranks(law: IdLaw) -> None:
    first = len(law.head)
    edges = np.unique(np.geomspace(first + 1, law.rows + 1, 30).astype(np.int64)) - 1
    below = sum(law.head) + np.concatenate([[0], np.cumsum(law.tail_shares(edges))])
    assert below[-1] == pytest.approx(1)
    middle = law.ranks((below[:-1] + below[1:]) / 2)
    wide = np.diff(below) > 1e-6
    assert np.all((middle >= edges[:-1])[wide])
    assert np.all((middle < edges[1:])[wide])


def test_the_last_rank_is_reached() -> None:
    law = IdLaw(rows=1000, head=(0.2,), q=3.0, s=1.1)
    assert law.ranks(np.array([0.0, np.nextafter(1, 0)])).tolist() == [0, 999]


def test_head_shares_are_drawn_as_given() -> None:
    law = IdLaw(rows=1000, head=(0.5, 0.2, 0.05), q=3.0, s=1.5)
    ranks = law.ranks((np.arange(100_000) + 0.5) / 100_000)
    assert np.bincount(ranks)[:3].tolist() == [50_000, 20_000, 5_000]
    assert np.bincount(ranks, minlength=1000)[3:].sum() == 25_000


@pytest.mark.parametrize("name", IDS)
def test_fitted_laws_are_distributions(name: str) -> None:
    law = IDS[name]
    assert 0 < sum(law.head) < 1
    assert list(law.head) == sorted(law.head, reverse=True)
    assert len(law.head) < law.rows
    assert law.tail_shares(np.array([len(law.head), law.rows])).sum() == pytest.approx(1 - sum(law.head))


def test_knots_grow_by_half() -> None:
    assert knots(12) == [-2, -1, 0, 1, 2, 3, 4, 6, 9, 13, 19, 28]
    assert knots(3) == [-2, -1, 0]


def test_quantiles_have_the_shares_of_the_intervals() -> None:
    law = IntegerLaw(shares=(0.1, 0.0, 0.2, 0.3, 0.1, 0.0, 0.3))
    values = law.quantiles()
    assert values.shape == (LEVELS,)
    assert np.all(np.diff(values) >= 0)
    assert np.mean(values == -2) == pytest.approx(0.1, abs=1e-4)
    assert np.mean(values == 0) == pytest.approx(0.2, abs=1e-4)
    assert np.mean(values == 1) == pytest.approx(0.3, abs=1e-4)
    assert set(values.tolist()) == {-2, 0, 1, 2, 4, 5}


@pytest.mark.parametrize("name", INTEGERS)
def test_fitted_integers_fit_their_cell_of_text(name: str) -> None:
    values = INTEGERS[name].quantiles()
    assert values.min() == (-2 if name == "I2" else 0)
    assert len(str(values.max())) <= 8
