from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.forecast import Load, Machine, forecast
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.service_time import LinearTime
from hotrow.scheduling.simulate import Linear, Simulator

SIZES = np.array([100] * 2 + [200] * 12 + [300] * 2 + [400, 500, 600, 700])
TIME = LinearTime(0.5, 0.02)


def simulated(
    knobs: Knobs, rate: float, workers: int, *, accelerator: bool = False, count: int = 30_000
) -> float:
    rng = np.random.default_rng(0)
    system = Simulator(
        workers, Linear(TIME.overhead_ms, TIME.row_ms), Linear(2, 0.005) if accelerator else None
    )
    arrivals = np.cumsum(rng.exponential(1000 / rate, count))
    sizes = rng.choice(SIZES, count)
    fates = [
        system.offer(at, rows, knobs) for at, rows in zip(arrivals.tolist(), sizes.tolist(), strict=True)
    ]
    return float(np.quantile([fate.latency_ms for fate in fates[count // 10 :]], 0.95))


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("batch", [32, 128, 700])
@pytest.mark.parametrize("utilisation", [0.2, 0.5, 0.8])
def test_it_is_near_the_simulated_tail(workers: int, batch: int, utilisation: float) -> None:
    machine = Machine(workers, TIME)
    unit = forecast(Knobs(batch), Load(1, SIZES), machine, 95).utilisation
    rate = utilisation / unit
    predicted = forecast(Knobs(batch), Load(rate, SIZES), machine, 95)
    assert predicted.utilisation == pytest.approx(utilisation)
    truth = simulated(Knobs(batch), rate, workers, count=8000)
    assert predicted.tail_ms == pytest.approx(truth, rel=0.35)


def test_one_worker_is_pollaczek_and_khinchine() -> None:
    """Equal queries, whole: waits of mean rho S / (2 (1 - rho)), of which a share of rho is not 0."""
    sizes, rho = np.array([100]), 0.6
    service = TIME.ms(100)
    predicted = forecast(Knobs(100), Load(rho / service * 1000, sizes), Machine(1, TIME), 95)
    assert predicted.tail_ms == pytest.approx(service + service / (2 * (1 - rho)) * np.log(rho / 0.05))


def test_the_accelerator_counts() -> None:
    machine = Machine(2, TIME, lambda sizes: 2 + 0.005 * sizes)
    knobs = Knobs(128, 400)
    predicted = forecast(knobs, Load(250, SIZES), machine, 95)
    assert predicted.accelerator_utilisation == pytest.approx(250 * 0.2 * (2 + 0.005 * 550) / 1000)
    assert predicted.tail_ms == pytest.approx(simulated(knobs, 250, 2, accelerator=True), rel=0.35)
    with pytest.raises(ValueError, match="no accelerator"):
        forecast(knobs, Load(250, SIZES), Machine(2, TIME), 95)


@given(
    rate=st.floats(1, 1e5),
    batch=st.integers(1, 1000),
    workers=st.integers(1, 64),
    threshold=st.integers(1, 800),
)
def test_more_load_is_never_better(rate: float, batch: int, workers: int, threshold: int) -> None:
    machine = Machine(workers, TIME, lambda sizes: 2 + 0.005 * sizes)
    tails = [
        forecast(Knobs(batch, threshold), Load(rate * factor, SIZES), machine, 95).tail_ms
        for factor in (1, 1.5, 3)
    ]
    assert tails == sorted(tails)
    assert np.isfinite(tails).all()


def test_of_nothing_nothing_is_expected() -> None:
    empty = np.array([], dtype=np.int64)
    assert forecast(Knobs(1), Load(0, empty), Machine(1, TIME), 95).tail_ms == 0


@pytest.mark.parametrize("overhead_ms", [0.5, 0.0])
def test_queries_without_rows_take_what_a_piece_takes(overhead_ms: float) -> None:
    load = Load(100, np.zeros(5, dtype=np.int64))
    predicted = forecast(Knobs(10), load, Machine(2, LinearTime(overhead_ms, 0.02)), 95)
    assert predicted.utilisation == pytest.approx(100 / 1000 * overhead_ms / 2)
