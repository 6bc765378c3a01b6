"""A client of the server's addresses in this process, and a model without weights."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.serving.engine.threads import ThreadStarter

from hotrow.data.formats.criteo import Criteo
from hotrow.data.raw import EncodedBlock, RawBlock
from hotrow.data.schema import CategoricalFeature, DenseFeature, Schema
from hotrow.serving import Limits, RankingService
from hotrow.serving.app import build_app
from hotrow.serving.engine.engine import Engine, EngineConfig
from hotrow.serving.front import Front

LIMITS = Limits(max_body_bytes=20_000, max_rows=64)
CONFIG = EngineConfig(memory_bytes=1 << 24)


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Score with one thread: rows are few, and other test processes use the other cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class SumOfI1:
    """Scores a Criteo row by its I1 / 100, or 0.5 where I1 is missing."""

    schema = Schema(
        format="criteo",
        label="label",
        dense=tuple(DenseFeature(name=f"I{number}") for number in range(1, 14)),
        categorical=tuple(CategoricalFeature(name=f"C{number}", rows=9) for number in range(1, 27)),
    )

    tasks = ("label",)

    def __init__(self) -> None:
        self.blocks: list[RawBlock] = []

    def block(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        return Criteo().block_from_rows(rows)

    def encode(self, block: RawBlock) -> EncodedBlock:
        self.blocks.append(block)
        return EncodedBlock(block.dense.astype(np.float32), np.zeros((len(block), 26), dtype=np.int32), None)

    def score_encoded(self, block: EncodedBlock) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = np.nan_to_num(block.dense[:, :1] / np.float32(100), nan=0.5)
        return scores


class Client:
    """Sends requests to an application in this process and waits for the answers."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits
        self.loop = asyncio.Runner()
        self.front = Front(engine, limits)
        app = build_app(self.front)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://server")

    def get(self, path: str) -> httpx.Response:
        return self.loop.run(self.http.get(path))

    def post(self, path: str, json: object = None, **options: Any) -> httpx.Response:
        return self.loop.run(self.http.post(path, json=json, **options))

    def start(self) -> None:
        self.loop.run(self.engine.start())

    def close(self) -> None:
        self.loop.run(self.http.aclose())
        self.loop.run(self.engine.close())
        self.loop.close()


MakeClient = Callable[..., Client]


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    """Return a function that makes a client of a server that is not started yet."""
    clients: list[Client] = []

    def make(
        load: Callable[[], RankingService], limits: Limits = LIMITS, config: EngineConfig = CONFIG
    ) -> Client:
        engine = Engine(lambda room: ThreadStarter(load, room.memory), config)
        clients.append(Client(engine, limits))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def scorer() -> SumOfI1:
    """Return a model that scores by I1 alone."""
    return SumOfI1()


@pytest.fixture
def client(make_client: MakeClient, scorer: SumOfI1) -> Client:
    """Return a client of a started server with the model ``sums``."""
    client = make_client(lambda: RankingService("sums", scorer, LIMITS))
    client.start()
    return client


@pytest.fixture(scope="session")
def infer_body() -> Callable[..., dict[str, Any]]:
    """Return a function that makes a correct inference request of some rows."""

    def make(rows: int = 2, *, datatype: str = "INT64") -> dict[str, Any]:
        return {
            "inputs": [
                {"name": "dense", "datatype": datatype, "shape": [rows, 13], "data": list(range(rows * 13))},
                {
                    "name": "categorical",
                    "datatype": "BYTES",
                    "shape": [rows, 26],
                    "data": ["68fd1e64", ""] * (rows * 13),
                },
            ]
        }

    return make


@pytest.fixture(scope="session")
def run_folder(criteo_run: Path) -> Path:
    """Return a run with a small real model."""
    return criteo_run
