from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hotrow.serving import EngineConfig, Limits, RankingService

Body = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("path", ["/v2/models/sums/config", "/v2/models/sums/versions/1/config"])
def test_the_configuration_is_tritons(client: Any, path: str) -> None:
    config = client.get(path).json()
    assert config["max_batch_size"] == 0
    assert config["input"] == [
        {"name": "dense", "data_type": "TYPE_FP32", "dims": [-1, 13]},
        {"name": "categorical", "data_type": "TYPE_STRING", "dims": [-1, 26]},
    ]
    assert config["output"] == [{"name": "score", "data_type": "TYPE_FP32", "dims": [-1]}]
    assert config["instance_group"] == [{"name": "sums", "kind": "KIND_CPU", "count": 1}]
    assert config["parameters"]["dense_columns"]["string_value"].startswith("I1,")


@pytest.mark.parametrize(
    "path", ["/v2/models/stats", "/v2/models/sums/stats", "/v2/models/sums/versions/1/stats"]
)
def test_statistics_count_what_was_asked(client: Any, infer_body: Body, path: str) -> None:
    assert client.post("/v2/models/sums/infer", infer_body(3)).status_code == 200
    assert client.post("/v1/rank", {"candidates": [{}, {}]}).status_code == 200
    assert client.post("/v1/rank", {"candidates": 1}).status_code == 400
    (stats,) = client.get(path).json()["model_stats"]
    assert (stats["name"], stats["version"], stats["inference_count"]) == ("sums", "1", 5)
    assert stats["last_inference"] > 1.7e12
    times = stats["inference_stats"]
    assert {name: spent["count"] for name, spent in times.items() if spent["count"]} == {
        "success": 2,
        "fail": 1,
        "queue": 2,
        "compute_infer": 2,
    }
    assert 0 < times["queue"]["ns"] + times["compute_infer"]["ns"] < times["success"]["ns"]


def test_the_index_lists_the_model(client: Any) -> None:
    entry = {"name": "sums", "version": "1", "state": "READY", "reason": ""}
    assert client.post("/v2/repository/index").json() == [entry]
    client.engine.drain()
    answer = client.post("/v2/repository/index").json()
    assert answer == [entry | {"state": "UNAVAILABLE", "reason": "the server is draining"}]


@pytest.mark.parametrize("path", ["", "/ready", "/config", "/stats", "/infer"])
def test_a_version_may_be_named_and_must_be_the_one(client: Any, infer_body: Body, path: str) -> None:
    def ask(version: str) -> Any:
        url = f"/v2/models/sums/versions/{version}{path}"
        return client.post(url, infer_body(1)) if path == "/infer" else client.get(url)

    assert ask("1").status_code == 200
    assert ask("2").status_code == 404
    assert ask("2").json() == {"error": "there is no version '2' of model 'sums', this server has '1'"}


def test_a_device_is_told(make_client: Any, scorer: Any) -> None:
    config = EngineConfig(memory_bytes=1 << 24, workers=2, device="other", offload_threshold=40)
    client = make_client(
        lambda: RankingService("sums", scorer, Limits(), move=lambda _: scorer), config=config
    )
    client.start()
    groups = client.get("/v2/models/sums/config").json()["instance_group"]
    assert [(group["kind"], group["count"]) for group in groups] == [("KIND_CPU", 2), ("KIND_GPU", 1)]
    client.front.last_seconds.tick(1.0, client.front.gauges())
    recent = client.get("/v1/live").json()["recent"]
    assert (recent["workers"], recent["devices"], recent["offload_threshold"]) == (2, 1, 40)
    pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")
    metrics = client.get("/metrics").text
    assert 'hotrow_offload_threshold{model="sums",version="1"} 40.0' in metrics
    assert 'hotrow_device_workers{model="sums",version="1"} 1.0' in metrics
