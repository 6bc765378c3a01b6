"""Problems for the embedding bag's tests, and the devices that Triton can run on here."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from hotrow.kernels.embedding_bag._types import (
    ROW_STATES,
    STATES,
    Bags,
    Embedded,
    Implementation,
    Layout,
    OptimizerKind,
    TableSpec,
)
from hotrow.kernels.row_formats import BITS, FLOAT_DTYPES, payload_bytes

# Triton reads this when it is imported, which nothing has done yet when tests are collected.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


@dataclass(frozen=True)
class Problem:
    """One batch of lookups in some tables, and the gradient of what they give."""

    tables: list[Tensor]
    states: list[list[Tensor]]
    layout: Layout
    bags: Bags
    grad: Embedded

    def copy(self, device: str) -> Problem:
        """Return a copy of everything on a device."""

        def moved(x: Tensor) -> Tensor:
            return x.clone().to(device)

        offsets, weights = self.bags.offsets, self.bags.weights
        bags = replace(
            self.bags,
            ids=moved(self.bags.ids),
            offsets=None if offsets is None else moved(offsets),
            weights=None if weights is None else moved(weights),
        )
        grad = Embedded(moved(self.grad.pooled), moved(self.grad.sequences))
        states = [[moved(state) for state in of_table] for of_table in self.states]
        return Problem([moved(table) for table in self.tables], states, self.layout, bags, grad)


MakeProblem = Callable[..., Problem]


@pytest.fixture(scope="session")
def make_problem() -> MakeProblem:
    return _make_problem


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    if (request.param == "cpu") != interpreted:
        pytest.skip(f"TRITON_INTERPRET is {'' if interpreted else 'not '}1")
    return str(request.param)


@pytest.fixture
def triton_backend(device: str) -> Implementation:
    return importlib.import_module("hotrow.kernels.embedding_bag.triton")


def _make_problem(
    layout: Layout,
    batch: int,
    *,
    jagged: bool = False,
    weighted: bool = False,
    kind: OptimizerKind = "sgd",
    dtype: torch.dtype = torch.int64,
    most: int = 4,
    seed: int = 0,
) -> Problem:
    """Draw tables, states, bags of 0..most ids (a third of them padding where there is any), gradients."""
    random = torch.Generator().manual_seed(seed)
    tables = [_draw_table(spec, random) for spec in layout.tables]
    lengths = torch.randint(0, most + 1, (len(layout.features), batch), generator=random)
    if not jagged:
        lengths.fill_(1)
    columns = []
    for feature, count in zip(layout.features, lengths.sum(1).tolist(), strict=True):
        ids = torch.randint(0, layout.tables[feature.table].rows, (count,), generator=random)
        if feature.padding is not None:
            ids[torch.rand(count, generator=random) < 1 / 3] = feature.padding
        columns.append(ids.to(dtype))
    ids = torch.cat(columns) if jagged else torch.stack(columns, dim=1)
    offsets = torch.nn.functional.pad(lengths.flatten().cumsum(0), (1, 0)) if jagged else None
    weights = torch.randn(ids.shape, generator=random) if weighted else None
    widths = [layout.tables[feature.table].width for feature in layout.features]
    size = sum(int(lengths[f].sum()) * widths[f] for f in layout.sequence_features)
    pooled = torch.randn(batch, layout.pooled_width, generator=random)
    grad = Embedded(pooled, torch.randn(size, generator=random))
    states = [_draw_states(spec, kind, random) for spec in layout.tables]
    return Problem(tables, states, layout, Bags(ids, offsets, len(widths), weights), grad)


def _draw_states(spec: TableSpec, kind: OptimizerKind, random: torch.Generator) -> list[Tensor]:
    shapes = [(spec.rows,) if (kind, s) in ROW_STATES else (spec.rows, spec.width) for s in STATES[kind]]
    return [torch.rand(shape, generator=random) for shape in shapes]


def _draw_table(spec: TableSpec, random: torch.Generator) -> Tensor:
    if spec.format in FLOAT_DTYPES:
        return torch.randn(spec.rows, spec.width, generator=random).to(FLOAT_DTYPES[spec.format])
    codes = torch.randint(0, 256, (spec.rows, payload_bytes(spec.format, spec.width)), generator=random)
    parameters = torch.randn(spec.rows, 2, generator=random)
    parameters = parameters if BITS[spec.format] == 8 else parameters.half()
    return torch.cat([codes.to(torch.uint8), parameters.view(torch.uint8)], dim=1)
