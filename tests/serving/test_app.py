from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from hotrow.errors import ArtifactError, ConfigError
from hotrow.serving import EngineConfig, Limits, RankingService

INFER = "/v2/models/sums/infer"
Body = Callable[..., dict[str, Any]]


def test_the_server_describes_itself(client: Any) -> None:
    answer = client.get("/v2").json()
    assert answer["name"] == "hotrow"
    assert answer["extensions"] == ["binary_tensor_data", "model_configuration", "statistics"]


def test_the_model_describes_itself(client: Any) -> None:
    answer = client.get("/v2/models/sums").json()
    assert answer["name"] == "sums"
    assert answer["inputs"] == [
        {"name": "dense", "datatype": "FP32", "shape": [-1, 13]},
        {"name": "categorical", "datatype": "BYTES", "shape": [-1, 26]},
    ]
    assert answer["outputs"] == [{"name": "score", "datatype": "FP32", "shape": [-1]}]
    assert answer["parameters"]["dense_columns"].startswith("I1,I2,")


def test_health(client: Any) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/sums/ready").json() == {"ready": True}


@pytest.mark.parametrize("path", ["", "/ready", "/infer"])
def test_an_unknown_model_is_404(client: Any, infer_body: Body, path: str) -> None:
    url = f"/v2/models/other{path}"
    answer = client.post(url, infer_body(1)) if path == "/infer" else client.get(url)
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is no model 'other', this server has 'sums'"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/", 404),
        ("GET", INFER, 405),
        ("POST", "/v2/health/live", 405),
    ],
)
def test_errors_of_addresses_have_the_same_shape(client: Any, method: str, path: str, status: int) -> None:
    answer = client.get(path) if method == "GET" else client.post(path)
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}


@pytest.mark.parametrize("path", [INFER, "/v1/rank"])
def test_a_body_that_is_too_long_is_413(client: Any, path: str) -> None:
    answer = client.post(path, content=b" " * 20_001)
    assert answer.status_code == 413
    assert "20000 bytes" in answer.json()["error"]


def test_a_long_body_without_a_length_is_cut_off(client: Any) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b" " * 1000

    assert client.post(INFER, content=endless()).status_code == 413
    assert sent <= 22_000


def test_bodies_are_bounded_together(make_client: Any, scorer: Any, infer_body: Body) -> None:
    limits = Limits(max_body_bytes=20_000, max_held_bytes=20_000)
    client = make_client(lambda: RankingService("sums", scorer, limits), limits)
    client.start()
    whole = json.dumps(infer_body(1)).encode()

    async def scenario() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        go_on = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield whole + b" " * (19_900 - len(whole))
            await go_on.wait()

        first = asyncio.create_task(client.http.post(INFER, content=slowly()))
        while client.front.held.bytes < 19_900:
            await asyncio.sleep(0)
        refused = await client.http.post(INFER, content=whole)
        go_on.set()
        return await first, refused, await client.http.post(INFER, content=whole)

    first, refused, again = client.loop.run(scenario())
    assert (first.status_code, again.status_code) == (200, 200)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json() == {"error": "the bodies of other requests take all memory, try again later"}
    assert client.front.held.bytes == 0
    assert client.front.statistics.fail["REJECTED"].count == 1


@pytest.mark.parametrize("length", ["99999999999999999999999999", "-5", "x"])
def test_a_false_length_is_no_defect(client: Any, length: str) -> None:
    answer = client.post(INFER, content=b"{}", headers={"Content-Length": length})
    assert answer.status_code in (400, 413)


@pytest.mark.parametrize(
    ("header", "status", "message"),
    [
        ("0", 504, "the deadline passed before the request was scored"),
        ("0.001", 504, "its deadline of 0.001 ms cannot be held: with nothing before it"),
        ("soon", 400, "Deadline-Ms: 'soon', expected milliseconds"),
    ],
)
@pytest.mark.parametrize("path", [INFER, "/v1/rank"])
def test_a_deadline_that_cannot_be_held_is_told(
    client: Any, scorer: Any, infer_body: Body, path: str, header: str, status: int, message: str
) -> None:
    body = infer_body(1) if path == INFER else {"candidates": [{}]}
    answer = client.post(path, body, headers={"Deadline-Ms": header})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(message)
    assert scorer.blocks == []


@pytest.mark.parametrize(
    ("headers", "timeout", "seconds"),
    [
        ({}, 0, None),
        ({"Deadline-Ms": "250"}, 0, 0.25),
        ({"Deadline-Ms": "250"}, 100_000, 0.1),
        ({"Deadline-Ms": "50"}, 100_000, 0.05),
    ],
)
def test_the_earlier_deadline_counts(
    client: Any,
    infer_body: Body,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    timeout: int,
    seconds: float | None,
) -> None:
    asked: list[float | None] = []
    score = client.engine.score

    async def note(request: Any, *, seconds: float | None) -> Any:
        asked.append(seconds)
        return await score(request)

    monkeypatch.setattr(client.engine, "score", note)
    body = infer_body(1) | {"parameters": {"timeout": timeout}}
    assert client.post(INFER, body, headers=headers).status_code == 200
    assert asked == [seconds]


def test_compressed_bodies_are_refused(client: Any) -> None:
    answer = client.post(INFER, content=b"x", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert "compressed" in answer.json()["error"]


def test_a_defect_shows_nothing_of_the_inside(
    client: Any, scorer: Any, infer_body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(scorer, "score_encoded", fail)
    answer = client.post(INFER, infer_body(1))
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error; the server's log has the details"}
    assert client.get("/v2/health/live").status_code == 200


def test_before_loading_it_lives_but_is_not_ready(make_client: Any, scorer: Any, infer_body: Body) -> None:
    client = make_client(lambda: RankingService("sums", scorer, Limits()))
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 503
    assert client.get("/v2/health/ready").json() == {"ready": False, "error": "the server is loading"}
    for answer in (client.post(INFER, infer_body(1)), client.post("/v1/rank", {"candidates": []})):
        assert answer.status_code == 503
        assert answer.json() == {"error": "the model is not loaded yet"}
        assert answer.headers["Retry-After"] == "1"
    client.start()
    assert client.get("/v2/health/ready").status_code == 200


def test_a_model_that_cannot_be_loaded_is_never_ready(make_client: Any) -> None:
    def load() -> RankingService:
        raise ArtifactError("x: altered")

    client = make_client(load)
    with pytest.raises(ArtifactError, match="altered"):
        client.start()
    assert client.get("/v2/health/ready").json()["error"] == "the server is failed"


def test_while_draining_it_answers_but_is_not_ready(client: Any, infer_body: Body) -> None:
    client.engine.drain()
    assert client.get("/v2/health/ready").status_code == 503
    assert client.get("/v2/models/sums/ready").status_code == 503
    assert client.get("/v2/health/live").status_code == 200
    assert client.post(INFER, infer_body(1)).status_code == 200


def test_the_event_loop_is_free_while_the_model_works_and_what_waits_is_bounded(
    make_client: Any, scorer: Any, infer_body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EngineConfig(memory_bytes=1 << 24, max_queued_rows=3)
    client = make_client(lambda: RankingService("sums", scorer, Limits()), config=config)
    client.start()
    working, finish = threading.Event(), threading.Event()
    score = scorer.score_encoded

    def slow(block: Any) -> Any:
        working.set()
        assert finish.wait(timeout=30)
        return score(block)

    monkeypatch.setattr(scorer, "score_encoded", slow)

    async def scenario() -> tuple[list[httpx.Response], httpx.Response, httpx.Response]:
        first = [asyncio.create_task(client.http.post(INFER, json=infer_body(1))) for _ in range(3)]
        while not (working.is_set() and client.engine.crew.backlog.rows == 3):
            await asyncio.sleep(0)
        health = await client.http.get("/v2/health/ready")
        refused = await client.http.post(INFER, json=infer_body(1))
        finish.set()
        return list(await asyncio.gather(*first)), health, refused

    answers, health, refused = client.loop.run(scenario())
    assert health.status_code == 200
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert client.post(INFER, infer_body(1)).status_code == 200


@pytest.mark.parametrize("name", ["", "a/b", "a b", "ä", "x" * 200, "../up", "a?b"])
def test_a_name_that_is_no_part_of_an_address_is_refused(scorer: Any, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        RankingService(name, scorer, Limits())


@pytest.mark.parametrize("field", ["max_body_bytes", "max_rows", "max_listed_ids"])
def test_limits_are_positive(field: str) -> None:
    with pytest.raises(ConfigError, match=f"limits.{field}: got 0, expected at least 1"):
        Limits(**{field: 0})


def test_one_body_may_take_all_memory_of_bodies() -> None:
    assert Limits(max_body_bytes=5, max_held_bytes=5)
    with pytest.raises(
        ConfigError, match=r"limits.max_held_bytes: got 4, expected at least max_body_bytes, 5"
    ):
        Limits(max_body_bytes=5, max_held_bytes=4)
