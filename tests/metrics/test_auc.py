"""The exact area under the ROC curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotrow.metrics import auc
from hotrow.metrics.auc import area_of_counts

Rows = list[tuple[int, float]]
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False))),
    max_size=40,
).filter(lambda rows: {label for label, _ in rows} == {0, 1})


def brute_force(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Decide every pair of a positive and a negative by itself."""
    above = scores[labels == 1][:, None] > scores[labels == 0][None, :]
    equal = scores[labels == 1][:, None] == scores[labels == 0][None, :]
    return float(np.mean(above + equal / 2))


@given(ROWS)
def test_equals_the_decision_of_every_pair(rows: Rows) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows])
    assert auc(labels, scores) == pytest.approx(brute_force(labels, scores), abs=1e-12)


@given(ROWS)
def test_reversing_the_scores_reverses_the_area(rows: Rows) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows])
    assert auc(labels, scores) + auc(labels, -scores) == pytest.approx(1.0, abs=1e-12)


def test_hand_made_cases() -> None:
    assert auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == pytest.approx(0.75)
    assert auc([0, 1], [1.0, 2.0]) == 1.0
    assert auc([1, 0], [1.0, 2.0]) == 0.0
    assert auc([0, 1, 1, 0], [5, 5, 5, 5]) == 0.5
    assert auc([True, False], [0.0, -0.0]) == 0.5


def test_infinite_scores_have_their_place_in_the_order() -> None:
    assert auc([0, 0, 1], [-np.inf, 3.0, np.inf]) == 1.0


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.5, np.nan], "NaN"),
        ([0, 2], [0.5, 0.6], "got 2, expected 0 or 1"),
        ([0, np.nan], [0.5, 0.6], "got nan, expected 0 or 1"),
        ([0, 1], [0.5], "differ in shape"),
        ([[0], [1]], [[0.5], [0.6]], "one dimension"),
        ([1, 1], [0.5, 0.6], "undefined"),
        ([0], [0.5], "undefined"),
        ([], [], "undefined"),
    ],
)
def test_what_has_no_area_is_refused(labels: list[float], scores: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auc(labels, scores)


@given(ROWS, st.floats(0.01, 5))
def test_area_of_groups_is_within_its_bound(rows: Rows, width: float) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.clip([score for _, score in rows], -100, 100)
    group = np.floor(scores / width)
    _, index = np.unique(group, return_inverse=True)
    area, bound = area_of_counts(np.bincount(index, labels), np.bincount(index, 1 - labels))
    assert abs(area - brute_force(labels, scores)) <= bound + 1e-12
