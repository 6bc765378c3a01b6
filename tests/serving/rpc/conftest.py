"""A gRPC channel to a server in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.serving.listening import PATIENCE, Listening

from hotrow.serving import Limits, RankingService, ServerConfig

Ask = Callable[..., Any]


@pytest.fixture
def server(scorer: Any) -> Iterator[Listening]:
    """Return a server with the model ``sums`` that listens."""
    limits = Limits(max_rows=64, max_body_bytes=20_000, max_tensors=4)
    config = ServerConfig(port=0, grpc_port=0, limits=limits)
    with Listening(lambda: RankingService("sums", scorer, limits), config).running() as listening:
        yield listening


@pytest.fixture
def ask(server: Listening) -> Iterator[Ask]:
    """Return a function that calls the server and returns its answer."""
    grpc: Any = pytest.importorskip("grpc", reason="grpcio is not installed")
    from hotrow.serving.rpc.messages import SERVICE, message

    with grpc.insecure_channel(server.grpc) as channel:

        def call(rpc: str, request: Any = None, /, *, timeout: float = PATIENCE, **fields: Any) -> Any:
            method = channel.unary_unary(f"/{SERVICE}/{rpc}")
            sent = request if request is not None else message(f"{rpc}Request")(**fields)
            data = sent if isinstance(sent, bytes) else sent.SerializeToString()
            return message(f"{rpc}Response").FromString(method(data, timeout=timeout))

        yield call
