"""The engine with threads as workers."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.serving.engine.conftest import Controlled, Run, encoded
from tests.serving.engine.threads import ThreadStarter

from hotrow.data.raw import EncodedBlock
from hotrow.errors import ArtifactError, BackendUnavailableError, ConfigError, InternalError, RequestError
from hotrow.serving import Engine, EngineConfig, Limits, RankingService
from hotrow.serving.answers import Wanted
from hotrow.serving.engine.adaptation import Adaptation
from hotrow.serving.engine.messages import Body
from hotrow.serving.engine.request import RawRequest
from hotrow.serving.engine.workers import Greeting

PATIENCE = 60


def _rank_body(rows: int, **more: object) -> bytes:
    return json.dumps({"candidates": [{"I1": row} for row in range(rows)], **more}).encode()


def _gate(model: Controlled) -> tuple[threading.Event, threading.Event]:
    """Let the model wait for the first event, and set the second one when it does."""
    free, busy = threading.Event(), threading.Event()

    def before(block: EncodedBlock) -> None:
        busy.set()
        assert free.wait(PATIENCE)

    model.before = before
    return free, busy


async def _until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
@pytest.mark.parametrize("workers", [1, 3])
def test_scores_come_in_order_whatever_the_split(
    run: Run, model: Controlled, batch_size: int, workers: int
) -> None:
    queries = [np.arange(rows, dtype=np.float32) + 1000 * rows for rows in (1, 2, 65, 0, 300, 13)]

    async def scenario(engine: Engine) -> list[Any]:
        return await asyncio.gather(*(engine.score(encoded(values)) for values in queries))

    answers = run(scenario, batch_size=batch_size, workers=workers)
    for values, found in zip(queries, answers, strict=True):
        np.testing.assert_array_equal(found.values, values[:, None])
    assert max(model.sizes) <= batch_size
    assert sum(model.sizes) == sum(map(len, queries))


@pytest.mark.parametrize("guess", [1, 30, 500])
@pytest.mark.parametrize("batch_size", [8, 1000])
def test_a_raw_request_is_decoded_by_a_worker_however_many_rows_were_expected(
    run: Run, guess: int, batch_size: int
) -> None:
    request = RawRequest(_rank_body(30, id="7", top_k=3), Body.RANK, rows=guess)
    found = run(lambda engine: engine.score(request), batch_size=batch_size)
    np.testing.assert_array_equal(found.values[:, 0], np.arange(30))
    assert msgspec.json.decode(found.wanted, type=Wanted) == Wanted(call=Body.RANK, id="7", top_k=3)


def test_what_is_wrong_with_a_request_is_told(run: Run) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(RequestError, match="unknown feature 'X'") as caught:
            await engine.score(RawRequest(b'{"candidates": [{"X": 1}]}', Body.RANK))
        assert caught.value.status == 400

    run(scenario)


def test_a_defect_fails_its_request_alone(run: Run, model: Controlled) -> None:
    def before(block: EncodedBlock) -> None:
        if block.dense[0, 0] == 2:
            raise ZeroDivisionError

    model.before = before

    async def scenario(engine: Engine) -> list[Any]:
        queries = (engine.score(encoded(np.array([value]))) for value in (1, 2, 3))
        return await asyncio.gather(*queries, return_exceptions=True)

    first, second, third = run(scenario)
    assert (first.values, third.values) == (1, 3)
    assert isinstance(second, InternalError)


def test_a_deadline_in_the_past_is_never_begun(run: Run, model: Controlled) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(RequestError, match="deadline passed") as caught:
            await engine.score(encoded(np.arange(3)), seconds=-1.0)
        assert caught.value.status == 504

    run(scenario)
    assert model.sizes == []


def test_a_deadline_that_passes_in_the_queue_ends_a_query(run: Run, model: Controlled) -> None:
    free, busy = _gate(model)

    async def scenario(engine: Engine) -> None:
        first = asyncio.create_task(engine.score(encoded(np.arange(2))))
        await _until(busy.is_set)
        with pytest.raises(RequestError, match="deadline passed"):
            await engine.score(encoded(np.arange(5)), seconds=0.02)
        free.set()
        await first

    run(scenario, batch_size=1)
    assert len(model.sizes) < 7


def test_a_cancelled_query_begins_no_more_sub_batches(run: Run, model: Controlled) -> None:
    free, busy = _gate(model)

    async def scenario(engine: Engine) -> Any:
        query = asyncio.create_task(engine.score(encoded(np.arange(100))))
        await _until(busy.is_set)
        query.cancel()
        with pytest.raises(asyncio.CancelledError):
            await query
        assert engine.crew.queued_rows == 0
        free.set()
        return await engine.score(encoded(np.array([5])))

    assert run(scenario, batch_size=10).values == 5
    assert sum(model.sizes) <= 21  # what the worker had, and the last query


def test_rows_that_wait_are_bounded(run: Run, model: Controlled) -> None:
    free = threading.Event()
    model.before = lambda block: free.wait(PATIENCE)

    async def scenario(engine: Engine) -> None:
        queries = [asyncio.create_task(engine.score(encoded(np.arange(8)))) for _ in range(3)]
        await _until(lambda: engine.crew.backlog.rows == 24)
        with pytest.raises(RequestError, match="queue full: 24 rows are before this request") as caught:
            await engine.score(encoded(np.arange(3)))
        assert caught.value.status == 503
        assert caught.value.retry_after is not None
        queries.append(asyncio.create_task(engine.score(encoded(np.arange(2)))))
        await _until(lambda: engine.crew.backlog.rows == 26)
        free.set()
        await asyncio.gather(*queries)

    run(scenario, batch_size=8, max_queued_rows=26)


@pytest.mark.parametrize(
    ("config", "seconds"), [({"sla_ms": 20}, None), ({}, 0.02), ({"sla_ms": 20}, 10.0)], ids=range(3)
)
def test_what_would_be_late_is_refused_at_once(
    run: Run, model: Controlled, config: dict[str, Any], seconds: float | None
) -> None:
    free = threading.Event()
    model.before = lambda block: free.wait(PATIENCE)

    async def scenario(engine: Engine) -> None:
        # By what the model says of itself, 0.1 ms and 0.01 ms a row, the first takes 19.1 ms, the other 2.1.
        begun = asyncio.create_task(engine.score(encoded(np.arange(1900)), seconds=10.0))
        await asyncio.sleep(0)
        with pytest.raises(
            RequestError, match=r"(too late|past its deadline): 1900 rows are before"
        ) as caught:
            await engine.score(encoded(np.arange(200)), seconds=seconds)
        assert caught.value.status == 503
        free.set()
        await begun

    run(scenario, batch_size=2000, **config)


def test_memory_for_requests_is_bounded(run: Run, model: Controlled) -> None:
    free = threading.Event()
    model.before = lambda block: free.wait(PATIENCE)

    async def scenario(engine: Engine) -> None:
        rows = np.arange(15_000)  # 2.4 MB
        first = asyncio.create_task(engine.score(encoded(rows)))
        await asyncio.sleep(0)
        with pytest.raises(RequestError, match="memory for requests is full") as caught:
            await engine.score(encoded(rows))
        assert caught.value.status == 503
        free.set()
        await first
        await engine.score(encoded(rows))

    run(scenario)


def test_a_worker_that_ends_is_replaced_and_its_work_done_again(run: Run, model: Controlled) -> None:
    deaths = iter([True, True])

    def before(block: EncodedBlock) -> None:
        if next(deaths, False):
            raise SystemExit

    model.before = before
    queries = [np.arange(50) + 100 * number for number in range(20)]

    async def scenario(engine: Engine) -> list[Any]:
        answers = await asyncio.gather(*(engine.score(encoded(values)) for values in queries))
        await _until(lambda: engine.crew.size == 2)
        assert engine.crew.restarts == 2
        return answers

    for values, found in zip(queries, run(scenario, workers=2, batch_size=9), strict=True):
        np.testing.assert_array_equal(found.values[:, 0], values)


def test_a_request_that_ends_workers_is_given_up(run: Run, model: Controlled) -> None:
    def before(block: EncodedBlock) -> None:
        if block.dense[0, 0] == 13:
            raise SystemExit

    model.before = before

    async def scenario(engine: Engine) -> list[Any]:
        queries = (engine.score(encoded(np.array([value]))) for value in (12, 13, 14, 15))
        return await asyncio.gather(*queries, return_exceptions=True)

    first, second, *others = run(scenario)
    assert isinstance(second, InternalError)
    assert [answer.values.item() for answer in (first, *others)] == [12, 14, 15]


def test_the_batch_size_may_change_at_any_moment(run: Run, model: Controlled) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.score(encoded(np.arange(100)))
        engine.batch_size = 10
        await engine.score(encoded(np.arange(100)))

    run(scenario, batch_size=100)
    assert model.sizes == [100, *[10] * 10]


def test_another_model_takes_over_between_requests(run: Run, model: Controlled) -> None:
    async def scenario(engine: Engine) -> None:
        free, busy = _gate(model)
        begun = asyncio.create_task(engine.score(encoded(np.arange(30))))
        await _until(busy.is_set)
        other = Controlled()
        service = RankingService("sums", other, Limits(), version="2")
        assert (await engine.load(lambda room: ThreadStarter(lambda: service, room.memory))).version == "2"
        assert (await engine.score(encoded(np.array([3])))).values == 3
        assert other.sizes == [1]
        free.set()
        np.testing.assert_array_equal((await begun).values[:, 0], np.arange(30))
        assert other.sizes == [1]

    run(scenario, batch_size=10)


def test_of_two_loads_the_later_one_is_served(run: Run, model: Controlled) -> None:
    begun: list[asyncio.Event] = []

    class Gated(ThreadStarter):
        async def load(self) -> Greeting:
            begun.append(asyncio.Event())
            await begun[-1].wait()
            return await super().load()

    async def scenario(engine: Engine) -> None:
        older, newer = (RankingService("sums", model, Limits(), version=each) for each in ("older", "newer"))
        first = asyncio.create_task(engine.load(lambda room: Gated(lambda: older, room.memory)))
        second = asyncio.create_task(engine.load(lambda room: Gated(lambda: newer, room.memory)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(begun) == 1
        for number, load in enumerate((first, second)):
            await _until(lambda least=number: len(begun) > least)
            begun[number].set()
            assert (await load).version == ("older", "newer")[number]
        assert engine.info.version == "newer"

    run(scenario)


def test_a_model_that_cannot_be_loaded_changes_nothing(run: Run) -> None:
    def broken() -> RankingService:
        raise ArtifactError("model.json: altered")

    async def scenario(engine: Engine) -> Any:
        with pytest.raises(ArtifactError, match="altered"):
            await engine.load(lambda room: ThreadStarter(broken, room.memory))
        assert engine.state == "ready"
        return await engine.score(encoded(np.array([5])))

    assert run(scenario).values == 5


@pytest.mark.parametrize("field", ["workers", "batch_size", "memory_bytes", "max_queued_rows"])
def test_sizes_are_positive(field: str) -> None:
    with pytest.raises(ConfigError, match=f"engine.{field}: got 0, expected at least 1"):
        EngineConfig(**{field: 0})  # type: ignore[arg-type]


class Device(Controlled):
    """The model on a device: its scores are recognised by their sign."""

    def score_encoded(self, block: EncodedBlock) -> NDArray[np.float32]:
        return -super().score_encoded(block)


def test_large_queries_go_whole_to_the_device(run: Run, model: Controlled) -> None:
    device = Device()

    async def scenario(engine: Engine) -> list[Any]:
        queries = (engine.score(encoded(np.arange(1, rows + 1))) for rows in (99, 100, 250))
        found = await asyncio.gather(*queries)
        engine.offload_threshold = None
        found.append(await engine.score(encoded(np.arange(1, 301))))
        return found

    options = {"device": "other", "offload_threshold": 100, "batch_size": 50}
    small, edge, large, late = run(scenario, move=lambda _: device, **options)
    assert device.sizes[-2:] == [100, 250]
    assert sorted(model.sizes[-8:]) == [49, 50, *[50] * 6]
    for found, sign in ((small, 1), (edge, -1), (large, -1), (late, 1)):
        np.testing.assert_array_equal(found.values[:, 0], sign * np.arange(1, len(found.values) + 1))


def test_the_device_has_a_queue_of_its_own(run: Run, model: Controlled) -> None:
    device, free = Device(), threading.Event()
    model.before = lambda block: free.wait(PATIENCE)

    async def scenario(engine: Engine) -> None:
        waiting = asyncio.create_task(engine.score(encoded(np.arange(10))))
        await asyncio.sleep(0)
        await engine.score(encoded(np.arange(100)))
        assert not waiting.done()
        assert engine.accelerator is not None
        assert engine.accelerator.in_flight == 0
        free.set()
        await waiting

    run(scenario, move=lambda _: device, device="other", offload_threshold=100)


def test_it_is_ready_when_the_model_is_warm_on_the_device(model: Controlled) -> None:
    entered, warm = threading.Event(), threading.Event()

    def move(_: str) -> Controlled:
        entered.set()
        assert warm.wait(PATIENCE)
        return Device()

    async def scenario() -> None:
        service = RankingService("sums", model, Limits(), move=move)
        config = EngineConfig(memory_bytes=1 << 20, device="other")
        engine = Engine(lambda room: ThreadStarter(lambda: service, room.memory), config)
        starting = asyncio.create_task(engine.start())
        await _until(entered.is_set)
        assert (engine.state, engine.loaded) == ("loading", False)
        warm.set()
        await starting
        assert engine.state == "ready"
        await engine.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BackendUnavailableError("it is on fire"), pytest.raises(BackendUnavailableError, match="on fire")),
        (RuntimeError("out of memory"), pytest.raises(InternalError, match="on other could not begin")),
    ],
    ids=["a user's error", "a defect"],
)
def test_a_model_that_cannot_be_taken_to_the_device_changes_nothing(
    run: Run, model: Controlled, error: Exception, told: Any
) -> None:
    def fail(_: str) -> Controlled:
        raise error

    async def scenario(engine: Engine) -> Any:
        service = RankingService("sums", model, Limits(), version="2", move=fail)
        with told:
            await engine.load(lambda room: ThreadStarter(lambda: service, room.memory))
        assert engine.info.version == "1"
        return await engine.score(encoded(np.array([5, 6])))

    options = {"device": "other", "offload_threshold": 2}
    found = run(scenario, move=lambda _: Device(), **options)
    np.testing.assert_array_equal(found.values[:, 0], [-5, -6])


def test_a_threshold_needs_a_device() -> None:
    with pytest.raises(
        ConfigError, match="offload_threshold: got 5, expected at least 1, together with a dev"
    ):
        EngineConfig(offload_threshold=5)


def test_adaptation_is_told_of_what_the_workers_were_asked(
    run: Run, model: Controlled, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, bool]] = []
    monkeypatch.setattr(Adaptation, "arrived", lambda self, rows, *, admitted: told.append((rows, admitted)))
    free = threading.Event()
    model.before = lambda block: free.wait(PATIENCE)

    async def scenario(engine: Engine) -> None:
        begun = asyncio.create_task(engine.score(encoded(np.arange(8))))
        await asyncio.sleep(0)
        with pytest.raises(RequestError, match="queue full"):
            await engine.score(encoded(np.arange(3)))
        with pytest.raises(RequestError, match="deadline passed"):
            await engine.score(encoded(np.arange(4)), seconds=0.0)
        await engine.score(encoded(np.arange(100)))
        free.set()
        await begun
        await engine.score(encoded(np.arange(0)))

    options = {"device": "other", "offload_threshold": 100, "max_queued_rows": 10}
    run(scenario, move=lambda _: Device(), adapt=True, **options)
    assert told == [(8, True), (3, False)]
