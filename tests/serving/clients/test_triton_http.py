"""Triton's HTTP client, as it is published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.serving.clients.conftest import encoded_rows, expected_scores, raw_rows
from tests.serving.listening import Listening

triton: Any = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
utils: Any = pytest.importorskip("tritonclient.utils", reason="tritonclient is not installed")


@pytest.fixture
def client(server: Listening) -> Iterator[Any]:
    """Return a client of the server."""
    with triton.InferenceServerClient(server.address) as client:
        yield client


def inputs(rows: int, *, encoded: bool = False, binary: bool = True) -> list[Any]:
    dense, ids = encoded_rows(rows) if encoded else raw_rows(rows)
    kind, prefix = ("INT32", "encoded.") if encoded else ("BYTES", "")
    names = (prefix + "dense", "encoded.ids" if encoded else "categorical")
    found = [triton.InferInput(names[0], [rows, 13], "FP32"), triton.InferInput(names[1], [rows, 26], kind)]
    found[0].set_data_from_numpy(dense, binary_data=binary)
    found[1].set_data_from_numpy(ids, binary_data=binary)
    return found


def test_health_and_descriptions(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    for version in ("", "1"):
        assert client.is_model_ready("sums", version)
        assert client.get_model_metadata("sums", version)["versions"] == ["1"]
        assert client.get_model_config("sums", version)["max_batch_size"] == 0
        assert client.get_inference_statistics("sums", version)["model_stats"][0]["inference_count"] == 0
    assert client.get_inference_statistics()["model_stats"][0]["name"] == "sums"
    assert client.get_server_metadata()["name"] == "hotrow"
    assert client.get_model_repository_index()[0]["state"] == "READY"
    assert not client.is_model_ready("other")


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 64])
def test_inference(client: Any, encoded: bool, binary: bool, rows: int) -> None:
    answer = client.infer("sums", inputs(rows, encoded=encoded, binary=binary), request_id="a")
    np.testing.assert_array_equal(answer.as_numpy("score"), expected_scores(rows))
    assert answer.get_response()["id"] == "a"


@pytest.mark.parametrize("binary", [False, True])
def test_outputs_may_be_named(client: Any, binary: bool) -> None:
    outputs = [triton.InferRequestedOutput("score", binary_data=binary)]
    answer = client.infer("sums", inputs(3), outputs=outputs, model_version="1", priority=1)
    np.testing.assert_array_equal(answer.as_numpy("score"), expected_scores(3))


def test_many_at_a_time(server: Listening) -> None:
    with triton.InferenceServerClient(server.address, concurrency=4) as client:
        asked = [client.async_infer("sums", inputs(rows)) for rows in range(1, 9)]
        for rows, request in enumerate(asked, start=1):
            np.testing.assert_array_equal(request.get_result().as_numpy("score"), expected_scores(rows))


def test_no_timeout_is_0(client: Any) -> None:
    answer = client.infer("sums", inputs(3), timeout=0)
    np.testing.assert_array_equal(answer.as_numpy("score"), expected_scores(3))


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"model_name": "other"}, "404", "there is no model 'other'"),
        ({"model_version": "7"}, "404", "there is no version '7'"),
        ({"inputs": inputs(65)}, "400", "at most 64 are allowed"),
        ({"timeout": 1}, "504", "its deadline of 0.001 ms cannot be held"),
    ],
    ids=["name", "version", "rows", "timeout"],
)
def test_errors_reach_the_caller(client: Any, change: dict[str, Any], status: str, message: str) -> None:
    with pytest.raises(utils.InferenceServerException, match=message) as caught:
        client.infer(**({"model_name": "sums", "inputs": inputs(2)} | change))
    assert caught.value.status() == status
