from __future__ import annotations

from typing import Any

import pytest

from hotrow.serving import Limits, RankingService

parser: Any = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")

MODEL = {"model": "sums", "version": "1"}


def metrics(client: Any) -> dict[str, Any]:
    """Return all samples by name and labels other than the model's."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in parser.text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = "".join(f"{{{k}={v}}}" for k, v in sample.labels.items() if k not in MODEL)
            found[sample.name + labels] = sample.value
    return found


def test_what_was_asked_is_counted_under_tritons_names(client: Any) -> None:
    assert client.post("/v1/rank", {"candidates": [{}, {}, {}]}).status_code == 200
    assert client.post("/v1/rank", {"candidates": 1}).status_code == 400
    found = metrics(client)
    assert found["nv_inference_request_success"] == 1
    assert found["nv_inference_request_failure{reason=OTHER}"] == 1
    assert found["nv_inference_request_failure{reason=REJECTED}"] == 0
    assert found["nv_inference_count"] == 3
    assert found["nv_inference_exec_count"] == 1
    assert found["nv_inference_pending_request_count"] == 0
    assert 0 < found["nv_inference_compute_infer_duration_us"] <= found["nv_inference_request_duration_us"]


def test_how_things_stand(client: Any) -> None:
    found = metrics(client)
    assert found["hotrow_ready"] == 1
    assert found["hotrow_workers"] == 1
    assert found["hotrow_batch_size"] == 256
    assert found["hotrow_worker_restarts_total"] == 0
    assert found["hotrow_shared_memory_bytes"] == 0
    assert "hotrow_offload_threshold" not in found
    client.engine.drain()
    assert metrics(client)["hotrow_ready"] == 0


def test_latencies_are_a_histogram(client: Any) -> None:
    for _ in range(3):
        client.post("/v1/rank", {"candidates": [{}]})
    found = metrics(client)
    assert found["hotrow_request_seconds_count"] == 3
    assert found["hotrow_request_seconds_bucket{le=+Inf}"] == 3
    buckets = [value for name, value in found.items() if name.startswith("hotrow_request_seconds_bucket")]
    assert buckets == sorted(buckets)
    assert found["hotrow_request_seconds_sum"] > 0


def test_before_loading_there_is_only_the_server(make_client: Any, scorer: Any) -> None:
    found = metrics(make_client(lambda: RankingService("sums", scorer, Limits())))
    assert found["hotrow_ready"] == 0
    assert not [name for name in found if name.startswith("nv_")]
