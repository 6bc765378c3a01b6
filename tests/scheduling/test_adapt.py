"""Adaptation in the loop with a simulated server."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.scheduling.serving_loop import Loop, capacity_qps

from hotrow.scheduling.adapt import AdaptConfig, Adapter, Window
from hotrow.scheduling.forecast import Machine
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.ladder import batch_ladder
from hotrow.scheduling.service_time import LinearTime
from hotrow.scheduling.simulate import Linear

MLPERF = (*[100] * 2, *[200] * 12, *[300] * 2, 400, 500, 600, 700)
SERVICE = Linear(0.5, 0.02)


def test_under_a_stationary_load_it_comes_to_rest() -> None:
    """A step that measurements do not bear out is taken back, and seldom tried again: in 2 of 24 at most."""
    draw, turns = random.Random(0), []
    for _ in range(24):
        workers, service = draw.randint(1, 4), Linear(draw.uniform(0.2, 1.5), 0.05)
        start = draw.choice([64, 192, 700])
        loop = Loop(workers, service, MLPERF, Knobs(start), seed=draw.randint(0, 1000))
        rate = draw.uniform(0.2, 0.85) * capacity_qps(max(MLPERF), workers, service, MLPERF)
        loop.run(60, rate)
        moves = loop.adapter.moves
        assert sum(move.window > 35 for move in moves) <= 2
        steps = np.sign(np.diff([start, *(move.after.batch_size for move in moves)]))
        turns.append(np.count_nonzero(steps[1:] != steps[:-1]))
    assert sum(count > 1 for count in turns) <= 2
    assert max(turns) <= 2


def tail_at(batch: int, rate: float, windows: int = 15) -> float:
    loop = Loop(2, SERVICE, MLPERF, Knobs(batch), seed=9)
    loop.adapter.config = AdaptConfig(batch_sizes=(batch,))
    loop.run(windows, rate)
    return float(np.mean(loop.tails_ms[3:]))


@pytest.mark.parametrize(("share", "start"), [(0.2, 700), (0.75, 25), (0.75, 700)])
def test_it_comes_to_rest_near_the_best_setting(share: float, start: int) -> None:
    rate = share * capacity_qps(700, 2, SERVICE, MLPERF)
    loop = Loop(2, SERVICE, MLPERF, Knobs(start))
    rest = loop.run(40, rate)[-1].batch_size
    best = min(tail_at(batch, rate) for batch in batch_ladder(700)[8:])
    assert tail_at(rest, rate) <= 1.2 * best


def test_it_follows_a_change_of_load_there_and_back() -> None:
    service, workers = Linear(2.0, 0.02), 8
    capacity = capacity_qps(700, workers, service, MLPERF)
    loop = Loop(workers, service, MLPERF, Knobs(256))
    calm = loop.run(25, 0.1 * capacity)[-1].batch_size
    busy = loop.run(25, 0.8 * capacity)[-1].batch_size
    calm_again = loop.run(40, 0.1 * capacity)[-1].batch_size
    assert calm <= 192 < 256 <= busy
    assert calm_again <= 192


def test_it_follows_interference() -> None:
    """A neighbour that makes handing out ten times as dear is answered with larger sub-batches."""
    loop = Loop(4, Linear(0.2, 0.02), MLPERF, Knobs(96))
    before = loop.run(25, 300)[-1].batch_size
    loop.service = Linear(3.0, 0.02)
    assert loop.run(30, 300)[-1].batch_size > before


@pytest.mark.parametrize(("workers", "start"), [(2, 1), (2, 4), (4, 1)])
def test_it_leaves_a_setting_with_which_nearly_all_is_refused(workers: int, start: int) -> None:
    """What is let in there is too little to look at; what is asked for is not."""
    service = Linear(2.0, 0.02)
    loop = Loop(workers, service, MLPERF, Knobs(start), seed=1, target_ms=30)
    loop.run(60, 0.8 * capacity_qps(700, workers, service, MLPERF))
    assert loop.refused[0] > 0.9
    assert np.mean(loop.refused[-10:]) < 0.1


def test_refused_queries_are_load_but_not_work() -> None:
    refused = np.arange(100) % 4 != 0
    asked = Window(seconds=2, sizes=np.arange(100), latency_ms=1, utilisation=0.5, admitted=~refused)
    assert asked.worked.rate_qps == 12.5
    assert asked.worked.sizes.tolist() == list(range(0, 100, 4))
    assert window(30).worked.rate_qps == 30


def window(queries: int = 100, latency_ms: float = 10, utilisation: float = 0.5) -> Window:
    sizes = np.resize(np.array(MLPERF), queries)
    return Window(seconds=1, sizes=sizes, latency_ms=latency_ms, utilisation=utilisation)


def test_few_queries_move_nothing() -> None:
    adapter = Adapter(Knobs(1), AdaptConfig(batch_sizes=tuple(batch_ladder(700))))
    for _ in range(20):
        adapter.observe(window(29), Machine(2, LinearTime(1, 0.02)))
    assert adapter.moves == []


def test_a_move_that_makes_it_worse_is_taken_back_and_rests_ever_longer() -> None:
    """Whatever the forecast says, here every batch size above 128 doubles the latency."""
    adapter = Adapter(Knobs(128), AdaptConfig(batch_sizes=tuple(batch_ladder(700))))
    machine = Machine(2, LinearTime(1, 0.005))
    for _ in range(200):
        worse = adapter.knobs.batch_size > 128
        adapter.observe(window(200, latency_ms=30 if worse else 10, utilisation=0.6), machine)
    assert {move.reason for move in adapter.moves} == {"forecast", "taken back"}
    away = [move.window for move in adapter.moves if move.before == Knobs(128)]
    assert len(away) <= 5
    assert list(np.diff(away)) == sorted(np.diff(away))
    assert adapter.knobs == Knobs(128)


def test_the_threshold_moves_too_and_within_its_limits() -> None:
    config = AdaptConfig(batch_sizes=(128,), thresholds=(100, 200, 300, 400, 500, 600, 700, None))
    machine = Machine(2, LinearTime(0.5, 0.02), lambda sizes: 2 + 0.002 * sizes)
    adapter = Adapter(Knobs(128), config)
    seen = []
    for _ in range(24):
        adapter.observe(window(300, utilisation=0.5), machine)
        seen.append(adapter.knobs.offload_threshold)
    assert adapter.knobs.offload_threshold in (200, 300, 400)
    assert set(seen) <= set(config.thresholds)
    assert {move.after.batch_size for move in adapter.moves} == {128}


def test_one_step_at_a_time() -> None:
    ladder = batch_ladder(700)
    loop = Loop(2, SERVICE, MLPERF, Knobs(16))
    loop.run(40, 150)
    places = [
        (ladder.index(m.before.batch_size), ladder.index(m.after.batch_size)) for m in loop.adapter.moves
    ]
    assert places
    assert all(abs(after - before) == 1 for before, after in places)


def test_settings_are_needed() -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        AdaptConfig(batch_sizes=())
