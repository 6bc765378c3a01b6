from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.serving.engine.threads import ThreadStarter

from hotrow.errors import ArtifactError
from hotrow.serving import Engine, EngineConfig, Limits, RankingService, ServerConfig
from hotrow.serving.thread import ServerThread

CONFIG = EngineConfig(memory_bytes=1 << 24)


def test_it_serves_while_inside(scorer: Any) -> None:
    def load() -> RankingService:
        return RankingService("sums", scorer, Limits())

    engine = Engine(lambda room: ThreadStarter(load, room.memory), CONFIG)
    with ServerThread(engine, ServerConfig(port=0, drain_seconds=0.0)) as server:
        url = server.served.url
        assert server.served.name == "sums"
        answer = httpx.post(f"{url}/v1/rank", json={"candidates": [{"I1": 50}]})
        assert answer.json()["ranking"][0]["score"] == 0.5
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/v2/health/live")


def test_what_keeps_it_from_starting_is_raised() -> None:
    def load() -> RankingService:
        raise ArtifactError("there is none")

    engine = Engine(lambda room: ThreadStarter(load, room.memory), CONFIG)
    with pytest.raises(ArtifactError, match="there is none"), ServerThread(engine, ServerConfig(port=0)):
        pass
