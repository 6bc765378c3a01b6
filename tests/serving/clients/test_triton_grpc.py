"""Triton's gRPC client, as it is published."""

from __future__ import annotations

import functools
import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.serving.clients.conftest import encoded_rows, expected_scores, raw_rows
from tests.serving.listening import PATIENCE, Listening

triton: Any = pytest.importorskip("tritonclient.grpc", reason="tritonclient[grpc] is not installed")
utils: Any = pytest.importorskip("tritonclient.utils", reason="tritonclient is not installed")


@pytest.fixture
def grpc_port() -> int:
    """Let the server speak gRPC, too."""
    return 0


@pytest.fixture
def client(server: Listening) -> Iterator[Any]:
    """Return a client of the server."""
    with triton.InferenceServerClient(server.grpc) as client:
        yield client


def inputs(rows: int, *, encoded: bool = False) -> list[Any]:
    dense, ids = encoded_rows(rows) if encoded else raw_rows(rows)
    kind, prefix = ("INT32", "encoded.") if encoded else ("BYTES", "")
    names = (prefix + "dense", "encoded.ids" if encoded else "categorical")
    found = [triton.InferInput(names[0], [rows, 13], "FP32"), triton.InferInput(names[1], [rows, 26], kind)]
    found[0].set_data_from_numpy(dense)
    found[1].set_data_from_numpy(ids)
    return found


def test_health_and_descriptions(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    for version in ("", "1"):
        assert client.is_model_ready("sums", version)
        assert list(client.get_model_metadata("sums", version).versions) == ["1"]
        assert client.get_model_config("sums", version).config.backend == "hotrow"
        statistics = client.get_inference_statistics("sums", version, as_json=True)
        assert statistics["model_stats"][0]["name"] == "sums"
    assert client.get_server_metadata().name == "hotrow"
    assert client.get_model_repository_index().models[0].state == "READY"


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 64])
def test_inference(client: Any, encoded: bool, rows: int) -> None:
    answer = client.infer("sums", inputs(rows, encoded=encoded), request_id="a", model_version="1")
    np.testing.assert_array_equal(answer.as_numpy("score"), expected_scores(rows))
    assert answer.get_response().id == "a"


def test_outputs_may_be_named(client: Any) -> None:
    outputs = [triton.InferRequestedOutput("score")]
    answer = client.infer("sums", inputs(3), outputs=outputs, priority=1)
    np.testing.assert_array_equal(answer.as_numpy("score"), expected_scores(3))


def test_many_at_a_time(client: Any) -> None:
    answers: queue.Queue[tuple[int, Any, Any]] = queue.Queue()

    def take(rows: int, result: Any, error: Any) -> None:
        answers.put((rows, result, error))

    for rows in range(1, 9):
        client.async_infer("sums", inputs(rows), functools.partial(take, rows))
    for _ in range(8):
        rows, result, error = answers.get(timeout=PATIENCE)
        assert error is None
        np.testing.assert_array_equal(result.as_numpy("score"), expected_scores(rows))


def test_no_timeout_is_0(client: Any) -> None:
    answer = client.infer("sums", inputs(3), timeout=0)
    np.testing.assert_array_equal(answer.as_numpy("score"), expected_scores(3))


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"model_name": "other"}, "StatusCode.NOT_FOUND", "there is no model 'other'"),
        ({"inputs": inputs(65)}, "StatusCode.INVALID_ARGUMENT", "at most 64 are allowed"),
        ({"timeout": 1}, "StatusCode.DEADLINE_EXCEEDED", "its deadline of 0.001 ms cannot be held"),
    ],
    ids=["name", "rows", "timeout"],
)
def test_errors_reach_the_caller(client: Any, change: dict[str, Any], status: str, message: str) -> None:
    with pytest.raises(utils.InferenceServerException, match=message) as caught:
        client.infer(**({"model_name": "sums", "inputs": inputs(2)} | change))
    assert caught.value.status() == status
