from __future__ import annotations

import math
import random

from hotrow.scheduling.admission import AdmissionConfig, decide, predict
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.margin import Margin, MarginConfig
from hotrow.scheduling.service_time import LinearTime
from hotrow.scheduling.simulate import Linear, Simulator

TARGET_MS = 30.0


def overloaded(hidden_ms: float, *, with_margin: bool) -> tuple[list[float], list[float]]:
    """Return latencies of what was admitted at twice the load, first and second half.

    Whatever is admitted takes up to ``hidden_ms`` more than the workers' time, which nobody predicts.
    """
    draw = random.Random(1)
    simulator, time = Simulator(2, Linear(0.3, 0.01)), LinearTime(0.3, 0.01)
    margin = Margin(TARGET_MS)
    config = AdmissionConfig(max_rows=1 << 30, target_ms=TARGET_MS)
    now = 0.0
    latencies: list[float] = []
    answers: list[tuple[float, float]] = []
    while len(latencies) < 6000:
        now += draw.expovariate(1 / 0.8)  # 300 rows take 1.65 ms of a worker
        rows = draw.randint(1, 600)
        backlog = simulator.backlog(now)
        prediction = predict(rows, backlog, time, workers=2, batch_size=1024)
        share = margin.share if with_margin else config.margin
        config = AdmissionConfig(max_rows=1 << 30, target_ms=TARGET_MS, margin=share)
        if not decide(rows, backlog, prediction, config).admitted:
            continue
        fate = simulator.offer(now, rows, Knobs(1024))
        latency = fate.latency_ms + draw.uniform(0, hidden_ms)
        latencies.append(latency)
        answers.append((now + latency, latency))
        answers.sort()
        while answers and answers[0][0] <= now:
            margin.answered(answers.pop(0)[1])
        margin.tick()
    return latencies[:3000], latencies[3000:]


def late(latencies: list[float]) -> float:
    return sum(latency > TARGET_MS for latency in latencies) / len(latencies)


def test_delays_that_nobody_predicts_are_learnt() -> None:
    assert late(overloaded(15.0, with_margin=False)[1]) > 0.2
    before, after = overloaded(15.0, with_margin=True)
    assert late(after) < 0.01
    assert late(before) < 0.05


def test_it_gives_back_what_it_took() -> None:
    margin = Margin(TARGET_MS)
    for latency in [100.0] * 40 + [1.0] * 4000:
        margin.answered(latency)
        margin.tick()
    assert margin.share == MarginConfig().most


def test_it_stays_within_its_limits() -> None:
    margin = Margin(TARGET_MS)
    for _ in range(4000):
        margin.answered(math.inf)
        margin.tick()
    assert margin.share == MarginConfig().least


def test_few_answers_say_nothing() -> None:
    margin = Margin(TARGET_MS)
    for _ in range(MarginConfig().answers - 1):
        margin.answered(math.inf)
        margin.tick()
    assert margin.share == MarginConfig().most
