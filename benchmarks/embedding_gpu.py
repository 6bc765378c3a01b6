"""Lookups alone, and lookups + backward + update, on a CUDA device: hotrow's Triton kernels against torch.

``forward`` has no gradient; ``step`` is forward, backward and SGD. The peer is one ``nn.EmbeddingBag``
per table with sparse gradients and ``torch.optim.SGD``. Ids are Zipf-distributed over shuffled rows,
the same batches for all; figures are medians over the rounds, timed with CUDA events, so they
include what the host spends between launches. GB/s counts what must move at least: for ``forward``
the rows read and the result written, for ``step`` also the gradient read, and each touched row read
and written once.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hotrow.errors import BackendUnavailableError
from hotrow.kernels.embedding_bag._types import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    OptimizerKind,
    TableSpec,
    Update,
)

ROWS = 500_000
ALPHA = 1.05
ROUNDS = 50
WARM_UP = 10
BATCHES = 8


@dataclass(frozen=True, kw_only=True)
class Shape:
    """T tables of width D, B bags of L ids each."""

    tables: int
    width: int
    batch: int
    bag: int

    def __str__(self) -> str:
        return f"T{self.tables} D{self.width} B{self.batch} L{self.bag}"


SHAPES = (
    Shape(tables=26, width=64, batch=2048, bag=1),
    Shape(tables=26, width=128, batch=8192, bag=1),
    Shape(tables=8, width=64, batch=2048, bag=40),
)

Contender = tuple[Callable[[Bags], object], Callable[[Bags], object]]


def run() -> dict[str, object]:
    """Time every shape.

    Raises:
        BackendUnavailableError: there is no CUDA device.
    """
    if not torch.cuda.is_available():
        raise BackendUnavailableError("embedding-gpu: there is no CUDA device to measure")
    device = torch.cuda.get_device_name()
    return {str(shape): _measure(shape) for shape in SHAPES} | {"device": device}


def _measure(shape: Shape) -> dict[str, float]:
    torch.manual_seed(0)
    batches = _draw(shape)
    direction = torch.randn(shape.batch, shape.tables * shape.width, device="cuda")
    contenders: dict[str, Contender] = {
        "hotrow_sgd": _hotrow(shape, "sgd", direction),
        "hotrow_rowwise_adagrad": _hotrow(shape, "rowwise_adagrad", direction),
        "torch_sgd": _torch(shape, direction),
    }
    times: dict[str, list[float]] = {}
    for number in range(WARM_UP + ROUNDS):
        bags = batches[number % len(batches)]
        for name, (look_up, step) in contenders.items():
            measured = {"forward": _timed(look_up, bags), "step": _timed(step, bags)}
            if number >= WARM_UP:
                for what, milliseconds in measured.items():
                    times.setdefault(f"{name}_{what}", []).append(milliseconds)
    row_bytes = shape.width * 4
    pooled = shape.tables * shape.batch * row_bytes
    forward = shape.bag * pooled + pooled
    least = {"forward": forward, "step": forward + pooled + 2 * _touched(shape, batches) * row_bytes}
    figures = {}
    for name, values in times.items():
        median = statistics.median(values)
        figures[f"{name}_ms"] = median
        figures[f"{name}_GB/s"] = least[name.rpartition("_")[2]] / median / 1e6
    return figures


def _hotrow(shape: Shape, kind: OptimizerKind, direction: Tensor) -> Contender:
    from hotrow.kernels.embedding_bag import triton as backend

    tables = [torch.randn(ROWS, shape.width, device="cuda") for _ in range(shape.tables)]
    per_row = [[torch.zeros(ROWS, device="cuda")] for _ in range(shape.tables)]
    states = per_row if kind == "rowwise_adagrad" else []
    names = [str(table) for table in range(shape.tables)]
    layout = Layout(
        tuple(TableSpec(name, ROWS, shape.width) for name in names),
        tuple(FeatureSpec(name, table) for table, name in enumerate(names)),
    )
    grad = Embedded(direction, direction.new_empty(0))
    update = Update(kind=kind, lr=0.01)

    def step(bags: Bags) -> None:
        backend.forward(tables, layout, bags)
        backend.backward_update(tables, states, layout, bags, grad, update)

    return lambda bags: backend.forward(tables, layout, bags), step


def _torch(shape: Shape, direction: Tensor) -> Contender:
    tables = nn.ModuleList(
        nn.EmbeddingBag(ROWS, shape.width, mode="sum", sparse=True, device="cuda")
        for _ in range(shape.tables)
    )
    optimizer = torch.optim.SGD(tables.parameters(), lr=0.01)
    offsets = torch.arange(0, shape.batch * shape.bag, shape.bag, dtype=torch.int32, device="cuda")

    def look_up(bags: Bags) -> Tensor:
        columns = bags.ids.T.contiguous() if bags.offsets is None else bags.ids.view(shape.tables, -1)
        return torch.cat(
            [table(column, offsets) for table, column in zip(tables, columns, strict=True)], dim=1
        )

    def forward(bags: Bags) -> None:
        with torch.no_grad():
            look_up(bags)

    def step(bags: Bags) -> None:
        optimizer.zero_grad()
        torch.autograd.backward(look_up(bags), direction)
        optimizer.step()

    return forward, step


def _draw(shape: Shape) -> list[Bags]:
    popularity = (1.0 / torch.arange(1, ROWS + 1, dtype=torch.float64, device="cuda") ** ALPHA).cumsum(0)
    place = torch.randperm(ROWS, device="cuda").int()
    count = shape.tables * shape.batch * shape.bag
    offsets = torch.arange(0, count + 1, shape.bag, device="cuda")
    batches = []
    for _ in range(BATCHES):
        drawn = torch.rand(count, dtype=torch.float64, device="cuda") * popularity[-1]
        ids = place[torch.searchsorted(popularity, drawn).clamp(max=ROWS - 1)]
        dense = shape.bag == 1
        batches.append(
            Bags(ids.view(shape.batch, shape.tables), None, shape.tables)
            if dense
            else Bags(ids, offsets, shape.tables)
        )
    return batches


def _touched(shape: Shape, batches: list[Bags]) -> int:
    """Return the rows that a batch touches, in the mean over the batches."""
    total = 0
    for bags in batches:
        columns = bags.ids.T if bags.offsets is None else bags.ids.view(shape.tables, -1)
        total += sum(int(column.unique().numel()) for column in columns)
    return total // len(batches)


def _timed(call: Callable[[Bags], object], bags: Bags) -> float:
    before = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    after = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    before.record()
    call(bags)
    after.record()
    torch.cuda.synchronize()
    return float(before.elapsed_time(after))
