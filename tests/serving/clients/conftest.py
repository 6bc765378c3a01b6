"""A server for clients that other people wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.serving.listening import Listening

from hotrow.serving import Limits, RankingService, ServerConfig


@pytest.fixture
def grpc_port() -> int | None:
    """Return the port for gRPC, which not every client needs."""
    return None


@pytest.fixture
def server(scorer: Any, grpc_port: int | None) -> Iterator[Listening]:
    """Return a server with the model ``sums`` that listens."""
    limits = Limits(max_rows=64)
    listening = Listening(
        lambda: RankingService("sums", scorer, limits),
        ServerConfig(port=0, grpc_port=grpc_port, limits=limits),
    )
    with listening.running():
        yield listening


def raw_rows(rows: int) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    """Return dense and categorical values as in a log."""
    dense = np.arange(rows * 13, dtype=np.float32).reshape(rows, 13)
    return dense, np.array([["68fd1e64", ""] * 13] * rows, dtype=np.object_).reshape(rows, 26)


def encoded_rows(rows: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return dense values and ids as a model takes them."""
    dense = np.arange(rows * 13, dtype=np.float32).reshape(rows, 13)
    return dense, (np.arange(rows * 26, dtype=np.int32) % 9).reshape(rows, 26)


def expected_scores(rows: int) -> NDArray[np.float32]:
    """Return what ``sums`` says of them."""
    return np.arange(rows, dtype=np.float32) * 13 / np.float32(100)
