"""What the gRPC server bounds, seen by a client of grpcio."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from tests.serving.listening import PATIENCE, Listening

from hotrow.serving import Limits, RankingService, ServerConfig

grpc: Any = pytest.importorskip("grpc", reason="grpcio is not installed")

from hotrow.serving.rpc import server as server_module  # noqa: E402
from hotrow.serving.rpc import service as service_module  # noqa: E402
from hotrow.serving.rpc.messages import SERVICE, message  # noqa: E402

_OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 50))

Start = Callable[..., Listening]


@pytest.fixture
def start(scorer: Any) -> Iterator[Start]:
    """Return a function that starts a server, with the bounds as they are then."""
    with ExitStack() as stack:

        def make(limits: Limits = Limits()) -> Listening:  # noqa: B008 - it is frozen
            config = ServerConfig(port=0, grpc_port=0, limits=limits)
            service = RankingService("sums", scorer, limits)
            return stack.enter_context(Listening(lambda: service, config).running())

        yield make


def _connect(server: Listening) -> AbstractContextManager[Any]:
    channel: AbstractContextManager[Any] = grpc.insecure_channel(server.grpc, options=_OWN_CONNECTION)
    return channel


def _is_live(channel: Any, **options: Any) -> bool:
    live = channel.unary_unary(f"/{SERVICE}/ServerLive")(b"", timeout=PATIENCE, **options)
    return bool(message("ServerLiveResponse").FromString(live).live)


def _infer_request() -> bytes:
    tensors = (("encoded.dense", "FP32", [1, 13], 52), ("encoded.ids", "INT32", [1, 26], 104))
    request = message("ModelInferRequest")(model_name="sums")
    for name, datatype, shape, size in tensors:
        request.inputs.add(name=name, datatype=datatype, shape=shape)
        request.raw_input_contents.append(bytes(size))
    return bytes(request.SerializeToString())


def test_calls_at_a_time_are_bounded(start: Start, scorer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_MAX_CALLS", 3)
    finish, score = threading.Event(), scorer.score_encoded

    def slow(block: Any) -> Any:
        assert finish.wait(PATIENCE)
        return score(block)

    server = start()
    monkeypatch.setattr(scorer, "score_encoded", slow)
    with _connect(server) as channel, _connect(server) as other:
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        begun = [infer.future(_infer_request(), timeout=PATIENCE) for _ in range(3)]
        while server.engine.crew.in_flight < 3:
            assert not any(call.done() for call in begun)
        for _ in range(20):
            with pytest.raises(grpc.RpcError) as caught:
                _is_live(other)
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        finish.set()
        assert all(call.result() for call in begun)
        assert _is_live(other)
        assert infer(_infer_request(), timeout=PATIENCE)
    assert server.engine.memory_taken == 0


def test_messages_are_bounded_together(start: Start, scorer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    finish, score = threading.Event(), scorer.score_encoded

    def slow(block: Any) -> Any:
        assert finish.wait(PATIENCE)
        return score(block)

    sent = _infer_request()
    limits = Limits(max_body_bytes=len(sent), max_held_bytes=2 * len(sent) - 1)
    server = start(limits)
    monkeypatch.setattr(scorer, "score_encoded", slow)
    with _connect(server) as channel:
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        begun = infer.future(sent, timeout=PATIENCE)
        while server.engine.crew.in_flight < 1:
            assert not begun.done()
        with pytest.raises(grpc.RpcError) as caught:
            infer(sent, timeout=PATIENCE)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "the bodies of other requests take all memory" in caught.value.details()
        finish.set()
        assert begun.result()
        assert infer(sent, timeout=PATIENCE)
    assert server.front.held.bytes == 0


def test_connections_are_bounded(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 2)
    server = start()
    with _connect(server) as first, _connect(server) as third:
        with _connect(server) as second:
            assert _is_live(first)
            assert _is_live(second)
            with pytest.raises(grpc.RpcError) as caught:
                _is_live(third)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert _is_live(third, wait_for_ready=True)
        assert _is_live(first)


def test_an_idle_connection_is_closed_and_opened_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_IDLE_SECONDS", 0.05)
    idle = threading.Event()

    def note(state: Any) -> None:
        if state == grpc.ChannelConnectivity.IDLE:
            idle.set()

    with _connect(start()) as channel:
        assert _is_live(channel)
        channel.subscribe(note)
        assert idle.wait(PATIENCE)
        assert _is_live(channel)


def test_a_message_that_does_not_come_is_not_waited_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "BODY_SECONDS", 0.05)
    end = threading.Event()

    def nothing() -> Iterator[bytes]:
        end.wait(PATIENCE)
        yield from ()

    with _connect(start()) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.stream_unary(f"/{SERVICE}/ModelInfer")(nothing(), timeout=PATIENCE)
        end.set()
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert caught.value.details() == "the request's message did not come within 0.05 seconds"
        assert _is_live(channel)


def test_what_needs_no_token_waits_for_no_message(start: Start) -> None:
    end = threading.Event()

    def nothing() -> Iterator[bytes]:
        end.wait(PATIENCE)
        yield from ()

    with _connect(start()) as channel:
        live = channel.stream_unary(f"/{SERVICE}/ServerLive")(nothing(), timeout=PATIENCE / 4)
        end.set()
    assert message("ServerLiveResponse").FromString(live).live


def test_metadata_that_is_too_long_is_refused(start: Start) -> None:
    with _connect(start()) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            _is_live(channel, metadata=[("x", "y" * 20_000)])
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert _is_live(channel)


def test_a_call_without_a_message_is_told(start: Start) -> None:
    with _connect(start()) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(f"/{SERVICE}/ModelInfer")(iter(()), timeout=PATIENCE)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "the request has no message"


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("request_bytes", [None, 64 * 1024**2], ids=["honest", "bomb"])
def test_compressed_messages_are_refused(start: Start, compression: Any, request_bytes: int | None) -> None:
    sent = _infer_request() if request_bytes is None else bytes(request_bytes)
    with _connect(start()) as channel:
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        with pytest.raises(grpc.RpcError) as caught:
            infer(sent, timeout=PATIENCE, compression=compression)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert "is disabled" in caught.value.details()
        assert infer(_infer_request(), timeout=PATIENCE)
