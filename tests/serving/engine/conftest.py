from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.serving.conftest import SumOfI1
from tests.serving.engine.threads import ThreadStarter

from hotrow.data.raw import EncodedBlock
from hotrow.scheduling.admission import Backlog
from hotrow.serving import Engine, EngineConfig, Limits, RankingService


class Controlled(SumOfI1):
    """Scores a row by its first dense value; ``before`` is called first, with the rows of a sub-batch."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[EncodedBlock], object] = lambda block: None
        self.sizes: list[int] = []

    def score_encoded(self, block: EncodedBlock) -> NDArray[np.float32]:
        self.before(block)
        self.sizes.append(len(block))
        return block.dense[:, :1].copy()


def encoded(first: NDArray[Any]) -> EncodedBlock:
    """Return rows with these first dense values."""
    dense = np.zeros((len(first), 13), dtype=np.float32)
    dense[:, 0] = first
    return EncodedBlock(dense, np.zeros((len(first), 26), dtype=np.int32), None)


Run = Callable[..., Any]


@pytest.fixture
def model() -> Controlled:
    return Controlled()


@pytest.fixture
def run(model: Controlled) -> Run:
    """Return a function that runs a coroutine function with a started engine, then looks for leaks."""

    def make(
        scenario: Callable[[Engine], Awaitable[Any]],
        move: Callable[[str], Controlled] | None = None,
        **config: Any,
    ) -> Any:
        service = RankingService("sums", model, Limits(), move=move)
        settings = EngineConfig(**{"memory_bytes": 1 << 22, **config})

        async def whole() -> Any:
            engine = Engine(lambda room: ThreadStarter(lambda: service, room.memory), settings)
            await engine.start()
            try:
                result = await scenario(engine)
                await engine.crew.finish()
                assert engine.memory_taken == 0
                assert engine.crew.backlog == Backlog(0, 0)
                assert engine.crew.in_flight == 0
                return result
            finally:
                await engine.close()

        return asyncio.run(whole())

    return make
