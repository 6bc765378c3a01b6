from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.load.stub import Answer, Reply, Request, good, in_thread, scores

from hotrow.data.schema import Schema
from hotrow.errors import InternalError, InvalidLoadError
from hotrow.load.http import parse_url
from hotrow.load.job import HttpJob, SyntheticSource
from hotrow.load.schedule import LoadConfig
from hotrow.load.trial_process import TrialProcess
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Outcome, Trial

SLA_MS = 60_000.0


def trial(**change: Any) -> Trial:
    wanted = {"rate_qps": 2000.0, "queries": 60, "warm_up": 10, "stop_at_violations": 1000}
    return Trial(knobs=Knobs(25), phase="x", **(wanted | change))


def measure(
    schema: Schema, answer: Answer, *trials: Trial, sla_ms: float = SLA_MS
) -> tuple[list[Outcome], list[Request], float]:
    with in_thread(answer) as stub:
        job = HttpJob(
            url=parse_url(stub.url),
            model="m",
            api="binary",
            config=LoadConfig(qps=1.0, sizes="normal:9,3", seed=5),
            source=SyntheticSource(schema=schema),
        )
        with TrialProcess(job, sla_ms=sla_ms) as process:
            return [process.measure(each) for each in trials], stub.requests, process.lag_ms


def test_each_trial_has_queries_of_its_own(criteo_columns: Schema) -> None:
    outcomes, requests, lag_ms = measure(criteo_columns, good, trial(), trial(queries=30))
    assert [outcome.latencies_ms.size for outcome in outcomes] == [60, 30]
    assert all(np.isfinite(outcome.latencies_ms).all() for outcome in outcomes)
    assert len(requests) == 60 + 30 + 2 * 10
    assert len({request.body for request in requests}) == len(requests)
    assert sum(outcome.rows for outcome in outcomes) < sum(request.rows() for request in requests)
    assert lag_ms > 0


def test_a_query_that_is_shed_is_late(criteo_columns: Schema) -> None:
    async def answer(request: Request) -> Reply:
        return Reply(503) if request.rows() % 2 else scores(request)

    (outcome,), _, _ = measure(criteo_columns, answer, trial())
    assert 0 < np.isinf(outcome.latencies_ms).sum() < 60


def test_a_hopeless_trial_stops_and_the_next_one_is_measured(criteo_columns: Schema) -> None:
    is_slow = True

    async def answer(request: Request) -> Reply:
        nonlocal is_slow
        if is_slow:
            is_slow = False
            return Reply(503)
        return scores(request)

    first = trial(warm_up=0, stop_at_violations=1, queries=20_000, rate_qps=100.0)
    (stopped, whole), _, _ = measure(criteo_columns, answer, first, trial())
    assert stopped.latencies_ms.size < 20_000
    assert whole.latencies_ms.size == 60
    assert np.isfinite(whole.latencies_ms).all()


def test_a_server_that_answers_nothing_well_is_told(criteo_columns: Schema) -> None:
    async def answer(_: Request) -> Reply:
        return Reply(400, b'{"error": "no such model"}')

    with pytest.raises(InvalidLoadError, match="HTTP 400: no such model"):
        measure(criteo_columns, answer, trial())


def test_a_process_that_was_killed_is_told(criteo_columns: Schema) -> None:
    with in_thread(good) as stub:
        job = HttpJob(
            url=parse_url(stub.url),
            model="m",
            api="binary",
            config=LoadConfig(qps=1.0),
            source=SyntheticSource(schema=criteo_columns),
        )
        with TrialProcess(job, sla_ms=SLA_MS) as process:
            process.measure(trial())
            process._process.kill()
            with pytest.raises(InternalError, match="has ended"):
                process.measure(trial())
