"""The simulator, against an event-driven one written plainly and against queueing theory."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.simulate import Fate, Linear, Simulator
from hotrow.scheduling.split import piece_sizes

Query = tuple[float, int, int, float]
"""Arrival, rows, batch size, deadline after arrival."""


def naive(queries: list[Query], workers: int, service: Callable[[int], float]) -> list[float]:
    """Return when each query is complete, by stepping through events; infinite if it expired."""
    events: list[tuple[float, int, int]] = []  # time, kind (0: a worker is free, 1: a query arrives), query
    for number, (at, *_) in enumerate(queries):
        heapq.heappush(events, (at, 1, number))
    idle, waiting = workers, deque[tuple[int, int]]()
    finish = [at for at, *_ in queries]
    while events:
        now, kind, number = heapq.heappop(events)
        if kind == 0:
            idle += 1
        else:
            waiting.extend((number, size) for size in piece_sizes(queries[number][1], queries[number][2]))
        while idle and waiting:
            owner, size = waiting.popleft()
            at, _, _, deadline = queries[owner]
            if now > at + deadline:
                finish[owner] = math.inf
                continue
            idle -= 1
            finish[owner] = max(finish[owner], now + service(size))
            heapq.heappush(events, (now + service(size), 0, owner))
    return finish


gaps = st.integers(0, 40)
queries = st.lists(
    st.tuples(gaps, st.integers(1, 60), st.integers(1, 64), st.sampled_from([9, 50, math.inf]))
)


@given(queries=queries, workers=st.integers(1, 5), overhead=st.integers(0, 5), per_row=st.integers(1, 3))
def test_it_does_what_stepping_through_events_does(
    queries: list[tuple[int, int, int, float]], workers: int, overhead: int, per_row: int
) -> None:
    service = Linear(overhead, per_row)
    at, timed = 0, []
    for gap, rows, batch, deadline in queries:
        at += gap
        timed.append((float(at), rows, batch, deadline))
    system = Simulator(workers, service)
    fates = [system.offer(at, rows, Knobs(batch), deadline) for at, rows, batch, deadline in timed]
    assert [fate.finish_ms for fate in fates] == naive(timed, workers, service)


def responses(system: Simulator, utilisation: float, mean_service: float, count: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    arrivals = np.cumsum(rng.exponential(mean_service / utilisation, count))
    return np.array([system.offer(at, 1, Knobs(1)).latency_ms for at in arrivals.tolist()])[count // 20 :]


def test_deterministic_service_waits_as_pollaczek_and_khinchine_say() -> None:
    waits = responses(Simulator(1, lambda rows: 2.0), 0.7, 2.0, 150_000) - 2.0
    assert waits.mean() == pytest.approx(2.0 * 0.7 / (2 * 0.3), rel=0.03)


def test_exponential_service_has_an_exponential_response() -> None:
    rng = np.random.default_rng(3)
    latencies = responses(Simulator(1, lambda rows: rng.exponential(2.0)), 0.6, 2.0, 150_000)
    mean = 2.0 / (1 - 0.6)
    assert latencies.mean() == pytest.approx(mean, rel=0.04)
    assert np.quantile(latencies, 0.95) == pytest.approx(mean * math.log(20), rel=0.05)


def test_several_workers_wait_as_erlang_says() -> None:
    workers, load, rng = 4, 3.0, np.random.default_rng(4)
    system = Simulator(workers, lambda rows: rng.exponential(1.0))
    latencies = responses(system, load, 1.0, 150_000)
    last = load**workers / math.factorial(workers) * workers / (workers - load)
    waits = last / (sum(load**k / math.factorial(k) for k in range(workers)) + last)
    assert latencies.mean() == pytest.approx(1 + waits / (workers - load), rel=0.04)


def test_the_accelerator_has_a_queue_of_its_own() -> None:
    system = Simulator(1, Linear(0, 1), accelerator=lambda rows: 10.0)
    knobs = Knobs(8, 100)
    assert system.offer(0, 100, knobs) == Fate(0, 100, 0, 10, offloaded=True)
    assert system.offer(1, 200, knobs) == Fate(1, 200, 10, 20, offloaded=True)
    assert system.offer(2, 99, knobs) == Fate(2, 99, 2, 101, offloaded=False)
    assert system.offer(3, 100, knobs, deadline_ms=5).latency_ms == math.inf
    assert (system.accelerator_busy_ms, system.busy_ms) == (20, 99)
    assert (system.backlog(15, offloaded=True).rows, system.backlog(15, offloaded=True).pieces) == (200, 1)


def test_the_backlog_is_what_is_not_finished() -> None:
    system = Simulator(2, Linear(0, 1))
    system.offer(0, 30, Knobs(10))
    assert (system.backlog(0).rows, system.backlog(0).pieces) == (30, 3)
    assert (system.backlog(10).rows, system.backlog(10).pieces) == (10, 1)
    assert (system.backlog(20).rows, system.backlog(20).pieces) == (0, 0)


def test_impossible_orders_are_refused() -> None:
    system = Simulator(1, Linear(0, 1))
    system.offer(5, 1, Knobs(1))
    with pytest.raises(ValueError, match="came after"):
        system.offer(4, 1, Knobs(1))
    with pytest.raises(ValueError, match="no accelerator"):
        system.offer(6, 1, Knobs(1, 1))
    with pytest.raises(ValueError, match="expected at least 1"):
        Simulator(0, Linear(0, 1))
