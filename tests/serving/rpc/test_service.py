from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.serving.listening import PATIENCE, Listening

from hotrow.errors import ConfigError
from hotrow.serving.front import Front
from hotrow.serving.security import Guard

grpc: Any = pytest.importorskip("grpc", reason="grpcio is not installed")

from hotrow.serving.rpc.messages import SERVICE, message  # noqa: E402
from hotrow.serving.rpc.server import RpcServer  # noqa: E402
from hotrow.serving.rpc.service import RETRY  # noqa: E402

Ask = Callable[..., Any]


def expected(rows: int) -> list[float]:
    scores: list[float] = (np.arange(rows, dtype=np.float32) * 13 / np.float32(100)).tolist()
    return scores


def raw_request(rows: int = 2, **fields: Any) -> Any:
    request = message("ModelInferRequest")(**{"model_name": "sums"} | fields)
    request.inputs.add(name="dense", datatype="FP32", shape=[rows, 13])
    request.inputs.add(name="categorical", datatype="BYTES", shape=[rows, 26])
    request.raw_input_contents.append(np.arange(rows * 13, dtype="<f4").tobytes())
    request.raw_input_contents.append((struct.pack("<I", 2) + b"ff") * rows * 26)
    return request


def encoded_request(rows: int = 2) -> Any:
    request = message("ModelInferRequest")(model_name="sums")
    request.inputs.add(name="encoded.dense", datatype="FP32", shape=[rows, 13])
    request.inputs.add(name="encoded.ids", datatype="INT32", shape=[rows, 26])
    request.raw_input_contents.append(np.arange(rows * 13, dtype="<f4").tobytes())
    request.raw_input_contents.append((np.arange(rows * 26, dtype="<i4") % 9).tobytes())
    return request


def typed_request(rows: int = 2, *, encoded: bool = False, datatype: str = "INT32") -> Any:
    request = message("ModelInferRequest")(model_name="sums")
    if encoded:
        dense = request.inputs.add(name="encoded.dense", datatype="FP32", shape=[rows, 13])
        dense.contents.fp32_contents.extend(range(rows * 13))
        ids = request.inputs.add(name="encoded.ids", datatype="INT32", shape=[rows, 26])
        ids.contents.int_contents.extend([3] * rows * 26)
        return request
    fields = {"INT32": "int_contents", "INT64": "int64_contents", "FP64": "fp64_contents"}
    dense = request.inputs.add(name="dense", datatype=datatype, shape=[rows, 13])
    getattr(dense.contents, fields[datatype]).extend(range(rows * 13))
    ids = request.inputs.add(name="categorical", datatype="BYTES", shape=[rows, 26])
    ids.contents.bytes_contents.extend([b"ff"] * rows * 26)
    return request


def test_health(ask: Ask) -> None:
    assert ask("ServerLive").live
    assert ask("ServerReady").ready
    assert ask("ModelReady", name="sums").ready
    assert ask("ModelReady", name="sums", version="1").ready


def test_descriptions(ask: Ask) -> None:
    assert ask("ServerMetadata").name == "hotrow"
    metadata = ask("ModelMetadata", name="sums")
    assert [(tensor.name, list(tensor.shape)) for tensor in metadata.inputs] == [
        ("dense", [-1, 13]),
        ("categorical", [-1, 26]),
    ]
    config = ask("ModelConfig", name="sums").config
    assert config.input[1].data_type == 13  # TYPE_STRING
    assert config.parameters["dense_columns"].string_value.startswith("I1,")
    (model,) = ask("RepositoryIndex").models
    assert (model.name, model.state) == ("sums", "READY")


def test_statistics(ask: Ask) -> None:
    ask("ModelInfer", raw_request(3))
    with pytest.raises(grpc.RpcError):
        ask("ModelInfer", raw_request(65))
    (stats,) = ask("ModelStatistics").model_stats
    assert stats.inference_count == 3
    assert (stats.inference_stats.success.count, stats.inference_stats.fail.count) == (1, 1)
    assert stats.inference_stats.success.ns > 0


@pytest.mark.parametrize("make", [raw_request, encoded_request])
@pytest.mark.parametrize("rows", [0, 1, 64])
def test_raw_contents_are_answered_with_raw_contents(ask: Ask, make: Callable[[int], Any], rows: int) -> None:
    answer = ask("ModelInfer", make(rows))
    (output,) = answer.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("score", "FP32", [rows])
    (data,) = answer.raw_output_contents
    assert np.frombuffer(data, "<f4").tolist() == expected(rows)
    assert (answer.model_name, answer.model_version) == ("sums", "1")


@pytest.mark.parametrize(
    "request_",
    [typed_request(3), typed_request(3, datatype="INT64"), typed_request(3, datatype="FP64"),
     typed_request(3, encoded=True)],
    ids=["INT32", "INT64", "FP64", "encoded"],
)  # fmt: skip
def test_typed_contents_are_answered_with_typed_contents(ask: Ask, request_: Any) -> None:
    request_.id = "x"
    answer = ask("ModelInfer", request_)
    assert answer.id == "x"
    assert list(answer.outputs[0].contents.fp32_contents) == expected(3)
    assert not answer.raw_output_contents


def test_values_reach_the_model_as_sent(ask: Ask, scorer: Any) -> None:
    request = raw_request(1)
    values = np.arange(13, dtype="<f4")
    values[3] = np.nan
    request.raw_input_contents[0] = values.tobytes()
    ask("ModelInfer", request)
    block = scorer.blocks[-1]
    assert np.isnan(block.dense[0]).nonzero()[0].tolist() == [3]
    assert (block.keys == 255).all()


def _change(request: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(request, name, value)
    return request


def _mixed() -> Any:
    request = raw_request()
    request.inputs[0].contents.fp32_contents.append(1)
    return request


def _other_contents() -> Any:
    request = typed_request()
    request.inputs[0].contents.fp32_contents.append(1)
    return request


def _too_many() -> Any:
    request = raw_request()
    for number in range(3):
        request.inputs.add(name=f"x{number}", datatype="FP32", shape=[1])
        request.raw_input_contents.append(b"")
    return request


def _of(change: Callable[[Any], object], request: Any) -> Any:
    change(request)
    return request


def _add_parameters(part: Any) -> None:
    for number in range(65):
        part.parameters[str(number)].int64_param = number


BAD = {
    "bytes": (b"\xff\xff", "INVALID_ARGUMENT", "no ModelInferRequest message"),
    "name": (_change(raw_request(), model_name="other"), "NOT_FOUND", "no model 'other'"),
    "version": (_change(raw_request(), model_version="9"), "NOT_FOUND", "no version '9'"),
    "nothing": (message("ModelInferRequest")(model_name="sums"), "INVALID_ARGUMENT", "'dense' is missing"),
    "mixed": (_mixed(), "INVALID_ARGUMENT", "expected one of them"),
    "other contents": (_other_contents(), "INVALID_ARGUMENT", "fp32_contents, expected int_contents"),
    "too many inputs": (_too_many(), "INVALID_ARGUMENT", "5 inputs, at most 4 are allowed"),
    "too many outputs": (
        _of(lambda r: [r.outputs.add(name="score") for _ in range(5)], raw_request()),
        "INVALID_ARGUMENT",
        "5 outputs, at most 4 are allowed",
    ),
    "too many fields": (b"\x32\0" * 9000, "INVALID_ARGUMENT", "more than the 79 fields allowed"),
    "dimensions": (
        _of(lambda r: r.inputs[0].shape.extend([1] * 7), raw_request()),
        "INVALID_ARGUMENT",
        "input dense: 9 dimensions, at most 8 are allowed",
    ),
    "parameters": (
        _of(_add_parameters, raw_request()),
        "INVALID_ARGUMENT",
        "request: 65 parameters, at most 64 are allowed",
    ),
    "parameters of an input": (
        _of(lambda r: _add_parameters(r.inputs[1]), raw_request()),
        "INVALID_ARGUMENT",
        "input categorical: 65 parameters, at most 64 are allowed",
    ),
    "parts": (
        _of(lambda r: r.raw_input_contents.append(b""), raw_request()),
        "INVALID_ARGUMENT",
        "3 raw_input_contents for 2 inputs",
    ),
    "rows": (raw_request(65), "INVALID_ARGUMENT", "65 rows, at most 64 are allowed"),
    "short": (
        _of(lambda r: r.raw_input_contents.__setitem__(0, b"1234"), raw_request()),
        "INVALID_ARGUMENT",
        "input dense: 4 bytes, expected 104",
    ),
    "datatype": (
        _of(lambda r: setattr(r.inputs[0], "datatype", "BOOL"), typed_request()),
        "INVALID_ARGUMENT",
        "datatype 'BOOL', expected FP32",
    ),
    "values": (
        _of(lambda r: r.inputs[1].contents.bytes_contents.extend([b""] * 1613), typed_request()),
        "INVALID_ARGUMENT",
        "input categorical: 1665 values, at most 1664 are allowed",
    ),
    "id": (
        _of(lambda r: r.raw_input_contents.__setitem__(1, b"\xff\xff\0\0" * 52), encoded_request()),
        "INVALID_ARGUMENT",
        "id 65535, expected 0 to 8",
    ),
    "timeout": (
        _of(lambda r: setattr(r.parameters["timeout"], "string_param", "x"), raw_request()),
        "INVALID_ARGUMENT",
        "parameter timeout: 'x'",
    ),
    "late": (
        _of(lambda r: setattr(r.parameters["timeout"], "int64_param", 1), raw_request()),
        "DEADLINE_EXCEEDED",
        "its deadline of 0.001 ms cannot be held",
    ),
    "large": (b"\0" * 20_001, "RESOURCE_EXHAUSTED", "20001 vs. 20000"),
}


@pytest.mark.parametrize(("request_", "code", "text"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_told_what_is_wrong(ask: Ask, request_: Any, code: str, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        ask("ModelInfer", request_)
    assert caught.value.code().name == code
    assert text in caught.value.details()


def test_a_defect_shows_nothing_of_the_inside(ask: Ask, scorer: Any, monkeypatch: Any) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(scorer, "score_encoded", fail)
    with pytest.raises(grpc.RpcError) as caught:
        ask("ModelInfer", raw_request())
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert caught.value.details() == "internal error; the server's log has the details"


def test_the_callers_deadline_is_the_requests(ask: Ask, scorer: Any, monkeypatch: Any) -> None:
    finish = threading.Event()

    def slow(block: Any) -> Any:
        assert finish.wait(timeout=30)
        return block.dense[:, :1] * 0

    monkeypatch.setattr(scorer, "score_encoded", slow)
    with pytest.raises(grpc.RpcError) as caught:
        ask("ModelInfer", raw_request(), timeout=0.1)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    finish.set()
    assert ask("ModelInfer", raw_request())


def test_what_its_caller_gives_up_is_begun_no_further(
    ask: Ask, server: Listening, scorer: Any, monkeypatch: Any
) -> None:
    working, finish = threading.Event(), threading.Event()

    def slow(block: Any) -> Any:
        working.set()
        assert finish.wait(timeout=30)
        return block.dense[:, :1] * 0

    monkeypatch.setattr(scorer, "score_encoded", slow)
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer").future(raw_request().SerializeToString())
        assert working.wait(timeout=30)
        call.cancel()
        while not server.front.statistics.fail["CANCELED"].count:
            assert ask("ServerLive").live
    finish.set()
    while server.engine.crew.in_flight:
        assert ask("ServerLive").live
    assert server.engine.memory_taken == 0


def test_while_draining_it_answers_but_is_not_ready(ask: Ask, server: Listening) -> None:
    server.engine.drain()
    assert not ask("ServerReady").ready
    assert ask("ModelInfer", raw_request())
    (model,) = ask("RepositoryIndex").models
    assert (model.state, model.reason) == ("UNAVAILABLE", "the server is draining")


@pytest.mark.parametrize(
    ("state", "code"),
    [("ready", "RESOURCE_EXHAUSTED"), ("draining", "UNAVAILABLE"), ("without workers", "UNAVAILABLE")],
)
def test_what_is_shed_may_be_tried_again(
    ask: Ask, server: Listening, monkeypatch: Any, state: str, code: str
) -> None:
    from hotrow.errors import RequestError

    async def refuse(*_: object, **__: object) -> None:
        raise RequestError("too many rows wait", status=503)

    monkeypatch.setattr(server.engine, "score", refuse)
    if state == "draining":
        server.engine.drain()
    server.engine.crew.stalled = state == "without workers"
    with pytest.raises(grpc.RpcError) as caught:
        ask("ModelInfer", raw_request())
    assert caught.value.code().name == code
    assert dict(caught.value.trailing_metadata())[RETRY] == "1000"


def test_what_is_no_message_is_told(ask: Ask) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        ask("ServerMetadata", b"\x08")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_call_is_told(server: Listening) -> None:
    with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/Other")(b"", timeout=PATIENCE)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_port_in_use_is_told(client: Any) -> None:
    front = Front(client.engine, client.limits)

    async def twice() -> None:
        first = RpcServer(front, Guard(), "127.0.0.1", 0)
        try:
            RpcServer(front, Guard(), "127.0.0.1", int(first.address.rpartition(":")[2]))
        finally:
            await first.stop(0)

    with pytest.raises(ConfigError, match="grpc_port"):
        client.loop.run(twice())
