from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from tests.serving.engine.conftest import Controlled, Run, encoded

from hotrow.errors import RequestError
from hotrow.scheduling.admission import Backlog
from hotrow.scheduling.service_time import LinearTime
from hotrow.serving import Engine
from hotrow.serving.engine.admission import Admission

PATIENCE = 60


def least_refused(admission: Admission) -> int:
    """Return the smallest backlog, in sub-batches of 1 ms, that a request is refused behind."""
    for pieces in range(2, 1000):
        try:
            admission.require(1, Backlog(0, pieces), None, workers=1, batch_size=10)
        except RequestError:
            return pieces
    raise AssertionError("none is refused")


def test_answers_that_come_later_than_predicted_are_allowed_for() -> None:
    admission = Admission(LinearTime(1.0, 0.0), max_rows=1 << 20, sla_ms=100.0)
    assert least_refused(admission) == 90
    for _ in range(200):
        admission.answered(0.12)
        admission.tick()
    assert least_refused(admission) < 40
    for _ in range(10_000):
        admission.answered(0.01)
        admission.tick()
    assert least_refused(admission) == 90


@pytest.mark.parametrize(
    ("backlog", "status", "message"),
    [
        (Backlog(0, 0), 504, "its deadline of 1.5 ms cannot be held: with nothing before it, .* take 2.0 ms"),
        (Backlog(50, 5), 504, "its deadline of 1.5 ms cannot be held"),
    ],
)
def test_a_deadline_too_short_for_the_request_alone_needs_no_other_try(
    backlog: Backlog, status: int, message: str
) -> None:
    admission = Admission(LinearTime(1.0, 0.1), max_rows=1 << 20, sla_ms=None)
    with pytest.raises(RequestError, match=message) as refused:
        admission.require(10, backlog, 0.0015, workers=2, batch_size=10)
    assert refused.value.status == status


@pytest.mark.parametrize("backlog", [Backlog(50, 5), Backlog(10, 1)])
def test_a_deadline_that_others_use_up_may_be_tried_again(backlog: Backlog) -> None:
    """Behind a whole queue, and with one of two workers free, which would do the two halves in turn."""
    admission = Admission(LinearTime(1.0, 0.1), max_rows=1 << 20, sla_ms=None)
    admission.require(20, Backlog(0, 0), 0.0025, workers=2, batch_size=10)
    with pytest.raises(RequestError, match=r"past its deadline: .* try again later") as refused:
        admission.require(20, backlog, 0.0025, workers=2, batch_size=10)
    assert refused.value.status == 503


def test_without_a_promise_there_is_nothing_to_learn() -> None:
    admission = Admission(LinearTime(1.0, 0.0), max_rows=1 << 20, sla_ms=None)
    for _ in range(1000):
        admission.answered(1e6)
        admission.tick()
    admission.require(1, Backlog(0, 100_000), None, workers=1, batch_size=10)


@pytest.mark.parametrize("adapt", [False, True])
def test_where_the_smallest_would_be_late_no_request_needs_to_be_read(
    run: Run, model: Controlled, adapt: bool
) -> None:
    free = threading.Event()
    model.before = lambda block: free.wait(PATIENCE)

    async def scenario(engine: Engine) -> None:
        engine.refuse_if_hopeless()
        begun = asyncio.create_task(engine.score(encoded(np.arange(8))))
        await asyncio.sleep(0)
        if adapt:  # what is refused counts as asked for, and has to be read for that
            engine.refuse_if_hopeless()
        else:
            with pytest.raises(RequestError, match="queue full: 8 rows are before") as refused:
                engine.refuse_if_hopeless()
            assert refused.value.status == 503
        free.set()
        await begun

    run(scenario, max_queued_rows=8, adapt=adapt)


def test_answers_are_learnt_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(Admission, "answered", lambda _, seconds: told.append(seconds))

    async def scenario(engine: Engine) -> None:
        await engine.score(encoded(np.arange(3)))

    run(scenario, sla_ms=10_000.0)
    assert len(told) == 1
    assert told[0] > 0
