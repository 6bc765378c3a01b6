from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotrow.metrics import auc
from hotrow.metrics.delong import standard_error, standings


def draw(seed: int, rows: int, levels: int = 6) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.4).astype(np.float32)
    labels[:4] = [0, 1, 0, 1]
    return labels, np.round(labels * 0.5 + rng.normal(size=rows), 1) * levels


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(4, 60))
def test_standings_are_shares_of_the_other_class(seed: int, rows: int) -> None:
    labels, scores = draw(seed, rows)
    found = standings(labels, scores)
    above, below = scores[labels == 1], scores[labels == 0]
    wins = (above[:, None] > below).astype(float) + 0.5 * (above[:, None] == below)
    np.testing.assert_allclose(found.positives, wins.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.negatives, wins.mean(axis=0), atol=1e-12)
    assert found.auc == pytest.approx(auc(labels, scores))
    assert found.negatives.mean() == pytest.approx(found.auc)


def test_the_same_scores_differ_by_nothing() -> None:
    labels, scores = draw(1, 200)
    assert standard_error(standings(labels, scores), standings(labels, 3 * scores - 1)) == 0


def test_it_is_the_spread_over_other_samples() -> None:
    differences, errors = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        labels = rng.random(400) < 0.3
        first = labels + rng.normal(size=400)
        second = first + 0.5 * rng.normal(size=400)
        one, other = standings(labels, first), standings(labels, second)
        differences.append(one.auc - other.auc)
        errors.append(standard_error(one, other))
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.12)


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 0], [0, 1, 2]])
def test_too_few_of_a_class_and_other_labels_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"expected|label"):
        standings(np.array(labels), np.zeros(3))


def test_rows_that_differ_are_refused() -> None:
    one, other = (standings(*draw(0, rows)) for rows in (20, 30))
    with pytest.raises(ValueError, match="standings of other rows"):
        standard_error(one, other)
    with pytest.raises(ValueError, match="differ in shape"):
        standings(np.array([0, 1, 0, 1]), np.zeros(3))
