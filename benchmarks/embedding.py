"""Lookups alone, and lookups + backward + optimizer, against ``nn.EmbeddingBag`` with sparse SGD.

Ids are drawn with repetition: Zipf with exponent alpha over the rows (0 is uniform), rows shuffled
over the table so that popular ones are not neighbours. All contenders see the same batches, one
after the other within each round; figures are medians over the rounds, in milliseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig
from hotrow.types import Jagged

ROWS = 500_000
ROUNDS = 30
WARM_UP = 3
BATCHES = 8


@dataclass(frozen=True, kw_only=True)
class Shape:
    """T tables of width D, B bags of L ids each, ids skewed by alpha."""

    tables: int
    width: int
    batch: int
    bag: int
    alpha: float

    def __str__(self) -> str:
        return f"T{self.tables} D{self.width} B{self.batch} L{self.bag} alpha {self.alpha}"


SHAPES = (
    Shape(tables=26, width=16, batch=2048, bag=1, alpha=1.05),
    Shape(tables=26, width=16, batch=2048, bag=1, alpha=0.0),
    Shape(tables=26, width=16, batch=128, bag=1, alpha=1.05),
    Shape(tables=26, width=64, batch=2048, bag=1, alpha=1.05),
    Shape(tables=8, width=32, batch=256, bag=80, alpha=1.05),
)


def run() -> dict[str, object]:
    """Time every shape; ``forward`` has no gradient, ``step`` is forward, backward and update."""
    return {str(shape): _measure(shape) for shape in SHAPES} | {"threads": torch.get_num_threads()}


def _measure(shape: Shape) -> dict[str, float]:
    batches = _draw(shape)
    direction = torch.randn(shape.batch, shape.tables * shape.width)
    contenders = {
        "hotrow_sgd": _hotrow(shape, "sgd"),
        "hotrow_rowwise_adagrad": _hotrow(shape, "rowwise_adagrad"),
        "torch_sgd": _torch(shape),
    }
    times: dict[str, list[float]] = {}
    for number in range(WARM_UP + ROUNDS):
        ids = batches[number % len(batches)]
        for name, (look_up, update) in contenders.items():
            with torch.no_grad():
                forward = _timed(lambda look_up=look_up, ids=ids: look_up(ids))  # type: ignore[misc]
            step = _timed(lambda look_up=look_up, ids=ids, update=update: update(look_up(ids), direction))  # type: ignore[misc]
            if number >= WARM_UP:
                times.setdefault(f"{name}_forward_ms", []).append(forward)
                times.setdefault(f"{name}_step_ms", []).append(step)
    return {name: statistics.median(values) for name, values in times.items()}


Contender = tuple[Callable[[Jagged | Tensor], Tensor], Callable[[Tensor, Tensor], None]]


def _hotrow(shape: Shape, kind: str) -> Contender:
    tables = [TableConfig(name=str(t), rows=ROWS, width=shape.width) for t in range(shape.tables)]
    optimizer = TableOptimizerConfig(kind=kind, lr=0.01)  # type: ignore[arg-type]

    def update(out: Tensor, direction: Tensor) -> None:
        torch.autograd.backward(out, direction)

    return EmbeddingTables(tables, optimizer=optimizer), update


def _torch(shape: Shape) -> Contender:
    bags = nn.ModuleList(
        nn.EmbeddingBag(ROWS, shape.width, mode="sum", sparse=True) for _ in range(shape.tables)
    )
    optimizer = torch.optim.SGD(bags.parameters(), lr=0.01)

    def look_up(ids: Jagged | Tensor) -> Tensor:
        offsets = torch.arange(0, shape.batch * shape.bag, shape.bag, dtype=torch.int32)
        columns = ids.ids.view(shape.tables, -1) if isinstance(ids, Jagged) else ids.T.contiguous()
        return torch.cat([bag(column, offsets) for bag, column in zip(bags, columns, strict=True)], dim=1)

    def update(out: Tensor, direction: Tensor) -> None:
        optimizer.zero_grad()
        torch.autograd.backward(out, direction)
        optimizer.step()

    return look_up, update


def _draw(shape: Shape) -> list[Jagged | Tensor]:
    rng = np.random.default_rng(0)
    popularity = np.cumsum(1.0 / np.arange(1, ROWS + 1) ** shape.alpha)
    popularity /= popularity[-1]
    place = rng.permutation(ROWS).astype(np.int32)
    batches: list[Jagged | Tensor] = []
    for _ in range(BATCHES):
        drawn = np.searchsorted(popularity, rng.random(shape.tables * shape.batch * shape.bag))
        ids = torch.from_numpy(place[drawn])
        if shape.bag == 1:
            batches.append(ids.view(shape.batch, shape.tables))
        else:
            batches.append(Jagged(ids, torch.arange(0, ids.numel() + 1, shape.bag)))
    return batches


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3
