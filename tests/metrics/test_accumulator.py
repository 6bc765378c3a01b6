"""Streaming metrics against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotrow.errors import DivergedError, UserError
from hotrow.metrics import MetricAccumulator, auc

LOGITS = st.one_of(st.floats(-40, 40), st.floats(-1e-3, 1e-3), st.integers(-2, 2).map(float))
ROWS = st.lists(st.tuples(st.integers(0, 1), LOGITS), max_size=60)


def accumulate(labels: NDArray[np.float32], logits: NDArray[np.float64], batch: int) -> MetricAccumulator:
    accumulator = MetricAccumulator()
    for start in range(0, len(labels), batch):
        accumulator.update(labels[start : start + batch], logits[start : start + batch])
    return accumulator


@pytest.fixture
def rows() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    generator = np.random.default_rng(3)
    logits = generator.normal(-1.2, 1.3, 20_000)
    labels = generator.random(20_000) < 1 / (1 + np.exp(-logits))
    return labels.astype(np.float32), logits


@given(ROWS)
def test_streaming_area_is_within_its_stated_bound(rows: list[tuple[int, float]]) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.float32)
    logits = np.array([logit for _, logit in rows], dtype=np.float64)
    metrics = accumulate(labels, logits, batch=7).result()
    if len(set(labels)) < 2:
        assert metrics.auc is None
        assert metrics.auc_error is None
    else:
        assert metrics.auc is not None
        assert metrics.auc_error is not None
        assert abs(metrics.auc - auc(labels, logits)) <= metrics.auc_error + 1e-12


def test_bound_is_small_on_a_usual_spread(rows: tuple[NDArray[np.float32], NDArray[np.float64]]) -> None:
    error = accumulate(*rows, batch=1000).result().auc_error
    assert error is not None
    assert 0 < error < 3e-5


def test_bound_says_when_logits_hardly_differ() -> None:
    labels = np.array([0, 1, 0, 1])
    error = accumulate(labels, np.array([1.0, 1.0 + 1e-9, 1.0 + 2e-9, 1.0]), batch=4).result().auc_error
    assert error == pytest.approx(0.5)


def test_figures_follow_their_definitions(rows: tuple[NDArray[np.float32], NDArray[np.float64]]) -> None:
    labels, logits = rows
    metrics = accumulate(labels, logits, batch=999).result()
    p = 1 / (1 + np.exp(-logits))
    rate = float(labels.mean(dtype=np.float64))
    log_loss = -float(np.mean(np.where(labels == 1, np.log(p), np.log(1 - p))))
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    assert metrics.rows == 20_000
    assert metrics.positives == int(labels.sum())
    assert metrics.log_loss == pytest.approx(log_loss, rel=1e-12)
    assert metrics.ne == pytest.approx(log_loss / entropy, rel=1e-12)
    assert metrics.calibration == pytest.approx(float(p.mean()) / rate, rel=1e-12)
    assert metrics.accuracy == pytest.approx(float(np.mean((p >= 0.5) == (labels == 1))), rel=1e-12)


def test_a_constant_at_the_click_rate_has_ne_one_and_calibration_one() -> None:
    labels = np.array([1] * 3 + [0] * 9)
    metrics = accumulate(labels, np.full(12, math.log(0.25 / 0.75)), batch=5).result()
    assert metrics.ne == pytest.approx(1.0)
    assert metrics.calibration == pytest.approx(1.0)
    assert metrics.auc == pytest.approx(0.5)


def test_huge_logits_neither_overflow_nor_lose_their_loss() -> None:
    metrics = accumulate(np.array([0, 1, 1]), np.array([800.0, -1000.0, 900.0]), batch=3).result()
    assert metrics.log_loss == pytest.approx(600.0)
    assert metrics.accuracy == pytest.approx(1 / 3)


def test_small_probabilities_keep_their_precision() -> None:
    metrics = accumulate(np.array([1]), np.array([-60.0]), batch=1).result()
    assert metrics.calibration == pytest.approx(math.exp(-60.0), rel=1e-12)


def test_no_rows() -> None:
    metrics = MetricAccumulator().result()
    assert metrics.to_mapping() == {
        "rows": 0,
        "positives": 0,
        "auc": None,
        "auc_error": None,
        "log_loss": None,
        "ne": None,
        "calibration": None,
        "accuracy": None,
    }


@pytest.mark.parametrize("label", [0, 1])
def test_one_class(label: int) -> None:
    metrics = accumulate(np.full(4, label), np.full(4, -1.0), batch=4).result()
    assert (metrics.auc, metrics.auc_error, metrics.ne) == (None, None, None)
    assert metrics.log_loss == pytest.approx(math.log1p(math.exp(-1 if label == 0 else 1)))
    assert (metrics.calibration is None) == (label == 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_diverged_model_is_said_with_its_row(bad: float) -> None:
    accumulator = accumulate(np.array([0, 1]), np.zeros(2), batch=2)
    with pytest.raises(DivergedError, match=r"row 3 .* diverged") as caught:
        accumulator.update(np.array([0, 1]), np.array([0.0, bad]))
    assert isinstance(caught.value, UserError)
    assert accumulator.result().rows == 2


@pytest.mark.parametrize(
    ("labels", "logits", "message"),
    [
        ([0.5], [0.0], "expected 0 or 1"),
        ([0, 1], [0.0], "differ in shape"),
        ([[1]], [[1.0]], "one dimension"),
    ],
)
def test_mistaken_arrays_are_refused(labels: list[float], logits: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MetricAccumulator().update(np.array(labels), np.array(logits))


def test_merging_parts_equals_one_pass(rows: tuple[NDArray[np.float32], NDArray[np.float64]]) -> None:
    labels, logits = rows
    first = accumulate(labels[:7000], logits[:7000], batch=500)
    first.merge(accumulate(labels[7000:], logits[7000:], batch=500))
    whole = accumulate(labels, logits, batch=500).result()
    assert first.result().auc == whole.auc
    assert first.result().log_loss == pytest.approx(whole.log_loss, rel=1e-13)


def test_state_round_trip_continues_bit_for_bit(
    rows: tuple[NDArray[np.float32], NDArray[np.float64]],
) -> None:
    labels, logits = rows
    resumed = MetricAccumulator()
    stopped = accumulate(labels[:8000], logits[:8000], batch=500)
    resumed.load_state_dict(stopped.state_dict())
    stopped.update(labels[:1], logits[:1])  # the state is a copy: this must not reach the resumed one
    for start in range(8000, 20_000, 500):
        resumed.update(labels[start : start + 500], logits[start : start + 500])
    assert resumed.result() == accumulate(labels, logits, batch=500).result()


def test_a_foreign_state_is_refused() -> None:
    state = MetricAccumulator().state_dict()
    with pytest.raises(ValueError, match="counts"):
        MetricAccumulator().load_state_dict({"sums": state["sums"]})
    with pytest.raises(ValueError, match="sums"):
        MetricAccumulator().load_state_dict({**state, "sums": np.zeros(7)})
