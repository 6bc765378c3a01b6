from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.admission import AdmissionConfig, Backlog, Decision, Prediction, decide, predict
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.service_time import LinearTime
from hotrow.scheduling.simulate import Linear, Simulator
from hotrow.scheduling.split import count_pieces

CONFIG = AdmissionConfig(max_rows=1000, target_ms=100)
TIME = LinearTime(1, 0.1)


@given(
    load=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 300)), min_size=1, max_size=30),
    workers=st.integers(1, 6),
    batch=st.integers(1, 128),
)
def test_the_prediction_is_the_truth_within_two_sub_batches(
    load: list[tuple[int, int]], workers: int, batch: int
) -> None:
    system, at = Simulator(workers, Linear(TIME.overhead_ms, TIME.row_ms)), 0
    for gap, rows in load:
        at += gap
        predicted = predict(rows, system.backlog(at), TIME, workers=workers, batch_size=batch)
        fate = system.offer(at, rows, Knobs(batch))
        longest = TIME.ms(batch)
        assert abs(predicted.total_ms - fate.latency_ms) <= 2 * longest + 1e-6
        assert fate.start_ms - at <= predicted.wait_ms + 1e-6


def test_an_empty_system_is_exact() -> None:
    predicted = predict(100, Backlog(0, 0), TIME, workers=4, batch_size=10)
    assert predicted == Prediction(0, 3 * 2.0)


@pytest.mark.parametrize(
    ("rows", "backlog", "prediction", "deadline", "expected"),
    [
        (10, Backlog(500, 5), Prediction(79, 10), math.inf, None),
        (10, Backlog(500, 5), Prediction(81, 10), math.inf, ("too late", 0.001)),
        (10, Backlog(500, 5), Prediction(180, 10), math.inf, ("too late", 0.1)),
        (501, Backlog(500, 5), Prediction(50, 10), math.inf, ("queue full", 0.001)),
        (750, Backlog(500, 5), Prediction(50, 10), math.inf, ("queue full", 0.025)),
        (5000, Backlog(0, 0), Prediction(0, 10), math.inf, None),
        (700, Backlog(200, 5), Prediction(9, 500), math.inf, None),
        (700, Backlog(200, 5), Prediction(20, 500), math.inf, ("too late", 0.01)),
        (10, Backlog(500, 5), Prediction(40, 10), 30.0, ("past its deadline", 0.02)),
        (10, Backlog(0, 0), Prediction(0, 40), 30.0, ("past its deadline", None)),
    ],
)
def test_decisions(
    rows: int,
    backlog: Backlog,
    prediction: Prediction,
    deadline: float,
    expected: tuple[str, float | None] | None,
) -> None:
    decision = decide(rows, backlog, prediction, CONFIG, deadline)
    assert decision.admitted == (expected is None)
    if expected is not None:
        assert decision.reason == expected[0]
        retry = None if expected[1] is None else pytest.approx(expected[1])
        assert decision.retry_after_s == retry


@given(
    rows=st.integers(1, 2000),
    queued=st.integers(0, 5000),
    wait=st.floats(0, 1000),
    own=st.floats(0.1, 1000),
    deadline=st.sampled_from([20.0, 200.0, math.inf]),
)
def test_who_comes_back_when_told_is_let_in(
    rows: int, queued: int, wait: float, own: float, deadline: float
) -> None:
    """If nothing else came meanwhile, and rows and wait drain alike."""
    wait = wait if queued else 0.0
    first = decide(rows, Backlog(queued, queued // 10), Prediction(wait, own), CONFIG, deadline)
    if first.admitted or first.retry_after_s is None:
        return
    gone = min(first.retry_after_s * 1000 * (1 + 1e-9) / wait, 1) if wait else 1
    left = Backlog(math.floor(queued * (1 - gone)), 0)
    assert decide(rows, left, Prediction(wait * (1 - gone), own), CONFIG, deadline).admitted


def overloaded(load: float, config: AdmissionConfig) -> tuple[list[float], float, int]:
    """Return latencies of the admitted, goodput in rows per ms, and how many were refused."""
    rng, workers, knobs = np.random.default_rng(0), 4, Knobs(64)
    service, sizes = Linear(0.5, 0.05), (100, 200, 200, 400)
    system, time = Simulator(workers, service), LinearTime(0.5, 0.05)
    work = np.mean([0.5 * count_pieces(size, 64) + 0.05 * size for size in sizes])
    latencies, good, refused, at = [], 0, 0, 0.0
    for rows in rng.choice(sizes, 20_000).tolist():
        at += rng.exponential(work / workers / load)
        backlog = system.backlog(at)
        predicted = predict(rows, backlog, time, workers=workers, batch_size=64)
        decision: Decision = decide(rows, backlog, predicted, config)
        if decision.admitted:
            latencies.append(system.offer(at, rows, knobs).latency_ms)
            good += rows if latencies[-1] <= config.target_ms else 0
        else:
            refused += 1
    return latencies, good / at, refused


def test_at_twice_the_load_goodput_stays_and_the_admitted_are_in_time() -> None:
    config = AdmissionConfig(max_rows=100_000, target_ms=50)
    peak = max(overloaded(load, config)[1] for load in (0.8, 0.9, 1.0))
    latencies, goodput, refused = overloaded(2.0, config)
    assert goodput >= 0.9 * peak
    assert np.quantile(latencies, 0.99) <= config.target_ms
    assert refused > 5000


def test_below_capacity_nobody_is_refused() -> None:
    assert overloaded(0.5, AdmissionConfig(max_rows=100_000, target_ms=50))[2] == 0
