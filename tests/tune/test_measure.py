from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from tests.serving.engine.conftest import Controlled
from tests.serving.engine.threads import ThreadStarter

from hotrow.data.raw import EncodedBlock
from hotrow.errors import InvalidLoadError
from hotrow.load import SyntheticRows
from hotrow.load.sizes import parse_sizes
from hotrow.scheduling.accelerator import LatencyTable
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Outcome, Trial
from hotrow.serving import Engine, EngineConfig, Limits, RankingService
from hotrow.tune.measure import Trials
from hotrow.tune.target import Target

PATIENCE = 60
TABLE = LatencyTable((1, 1000), (5.0, 6.0), "made up")


def trial(**change: Any) -> Trial:
    wanted: dict[str, Any] = {
        "knobs": Knobs(64),
        "rate_qps": 400.0,
        "queries": 60,
        "warm_up": 10,
        "stop_at_violations": 1000,
        "phase": "test",
    }
    return Trial(**(wanted | change))


def run(
    scenario: Callable[[Trials, Engine], Awaitable[Any]],
    model: Controlled,
    *,
    accelerator: LatencyTable | None = None,
    device: Controlled | None = None,
    sla_ms: float = 10_000.0,
    sizes: str = "fixed:100",
) -> Any:
    move = None if device is None else lambda _: device
    service = RankingService("sums", model, Limits(), move=move)
    config = EngineConfig(memory_bytes=1 << 24, device=None if device is None else "other")

    async def whole() -> Any:
        engine = Engine(lambda room: ThreadStarter(lambda: service, room.memory), config)
        await engine.start()
        try:
            queries = SyntheticRows(model.schema, seed=1)
            trials = Trials(
                Target(engine, accelerator), queries, sizes=parse_sizes(sizes), sla_ms=sla_ms, seed=3
            )
            result = await scenario(trials, engine)
            assert engine.crew.in_flight == 0
            return result
        finally:
            await engine.close()

    return asyncio.run(whole())


def test_all_queries_after_the_warm_up_are_measured() -> None:
    model = Controlled()
    outcome: Outcome = run(lambda trials, _: trials.measure(trial()), model)
    assert outcome.latencies_ms.shape == (60,)
    assert np.isfinite(outcome.latencies_ms).all()
    assert outcome.rows == 6000
    assert model.sizes == [50] * 140  # 70 queries of 100 rows, each cut in two
    assert outcome.count_violations(10_000) == 0


def test_a_burst_is_answered_as_fast_as_can_be() -> None:
    model = Controlled()
    wanted = trial(rate_qps=math.inf, queries=50, warm_up=0, most_seconds=PATIENCE)
    outcome: Outcome = run(lambda trials, _: trials.measure(wanted), model, sla_ms=1e-6)
    assert np.isfinite(outcome.latencies_ms).all()
    assert outcome.rows == 5000
    assert model.sizes == [50] * 100
    assert outcome.seconds * 1e3 >= outcome.latencies_ms.max()


def test_knobs_are_set_for_each_trial() -> None:
    model = Controlled()

    async def scenario(trials: Trials, engine: Engine) -> None:
        await trials.measure(trial(knobs=Knobs(100), queries=5, warm_up=0))
        await trials.measure(trial(knobs=Knobs(10), queries=2, warm_up=0))

    run(scenario, model)
    assert model.sizes == [100] * 5 + [10] * 20


def test_each_trial_has_queries_of_its_own() -> None:
    model = Controlled()
    seen: list[float] = []
    model.before = lambda block: seen.extend(block.dense[:, 0].tolist())

    async def scenario(trials: Trials, engine: Engine) -> None:
        for _ in range(3):
            await trials.measure(trial(queries=4, warm_up=0))

    run(scenario, model)
    assert len(set(seen)) == 3 * 4 * 100


def test_it_stops_when_enough_are_late() -> None:
    model = Controlled()
    outcome: Outcome = run(
        lambda trials, _: trials.measure(trial(queries=5000, stop_at_violations=7)), model, sla_ms=1e-6
    )
    assert 7 <= outcome.latencies_ms.size < 5000
    assert outcome.count_violations(1e-6) == outcome.latencies_ms.size


def test_what_is_never_answered_is_late() -> None:
    model = Controlled()
    free = threading.Event()
    model.before = lambda block: free.wait(PATIENCE)

    async def scenario(trials: Trials, engine: Engine) -> Outcome:
        loop = asyncio.get_running_loop()
        measuring = loop.create_task(trials.measure(trial(queries=20, warm_up=0)))
        while engine.crew.in_flight < 20:
            await asyncio.sleep(0.001)
        while engine.crew.backlog.pieces > 2:  # they were given up, but for what the worker has
            await asyncio.sleep(0.001)
        free.set()
        return await measuring

    outcome: Outcome = run(scenario, model, sla_ms=1.0)
    assert outcome.count_violations(1.0) == 20
    assert np.isinf(outcome.latencies_ms).all()


def test_a_query_that_fails_ends_it() -> None:
    """It is neither late nor shed, and no rate would mend it."""
    model = Controlled()

    def fail(_: EncodedBlock) -> None:
        raise ValueError("inside")

    model.before = fail

    async def scenario(trials: Trials, _: Engine) -> None:
        with pytest.raises(
            InvalidLoadError, match="a query failed while tuning: InternalError: a worker failed"
        ):
            await trials.measure(trial())

    run(scenario, model)


def test_large_queries_go_to_the_modelled_accelerator_one_after_the_other() -> None:
    model = Controlled()
    wanted = trial(knobs=Knobs(64, offload_threshold=100), rate_qps=5000.0, queries=10, warm_up=0)
    outcome: Outcome = run(lambda trials, _: trials.measure(wanted), model, accelerator=TABLE)
    assert model.sizes == []
    assert outcome.latencies_ms.min() >= TABLE(100)
    assert outcome.latencies_ms.max() >= 5 * TABLE(100)  # 10 of them came at about the same time

    wanted = trial(knobs=Knobs(64, offload_threshold=101), queries=3, warm_up=0)
    run(lambda trials, _: trials.measure(wanted), model, accelerator=TABLE)
    assert sum(model.sizes) == 300


def test_large_queries_go_to_the_device() -> None:
    model, device = Controlled(), Controlled()

    async def scenario(trials: Trials, engine: Engine) -> tuple[list[int], list[int]]:
        warm = len(device.sizes)
        await trials.measure(trial(knobs=Knobs(64, offload_threshold=100)))
        on_device = device.sizes[warm:]
        await trials.measure(trial())
        return on_device, device.sizes[warm + len(on_device) :]

    on_device, after = run(scenario, model, device=device)
    assert on_device == [100] * 70
    assert after == []


def test_a_threshold_needs_an_accelerator() -> None:
    model = Controlled()
    with pytest.raises(ValueError, match="without an accelerator"):
        run(lambda trials, _: trials.measure(trial(knobs=Knobs(1, 1))), model)


def test_rows_are_those_of_a_block() -> None:
    block = SyntheticRows(Controlled().schema, seed=1).content(0, 7)
    assert isinstance(block, EncodedBlock)
    assert len(block) == 7
