"""Random problems for the lookup: tables in every format, features, ids and gradients.

Shapes: B batch, T tables, F features, L lookups, E rows, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotrow.kernels import BackendName, available_backends
from hotrow.kernels.embedding_bag import (
    ROW_STATES,
    STATES,
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    OptimizerKind,
    TableSpec,
)
from hotrow.kernels.row_formats import RowFormat

BACKENDS: list[BackendName] = [b for b in available_backends("embedding_bag") if b != "triton"]
FAST: list[BackendName] = [b for b in BACKENDS if b != "reference"]
FLOATS: list[RowFormat] = ["fp32", "fp16", "bf16"]
FORMATS: list[RowFormat] = ["fp32", "fp16", "bf16", "int8", "int4", "int2"]
KINDS: list[OptimizerKind] = ["sgd", "momentum", "rowwise_adagrad", "adagrad", "adam", "lamb"]
_DTYPES: dict[RowFormat, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_BITS: dict[RowFormat, int] = {"int8": 8, "int4": 4, "int2": 2}

Floats = NDArray[np.float64]


@dataclass
class Problem:
    """One batch over some tables, and a gradient of its result; values are what tables hold, (E, D)."""

    layout: Layout
    tables: list[Tensor]
    values: list[Floats]
    bags: Bags
    grad: Embedded

    def states(self, kind: OptimizerKind) -> list[list[Tensor]]:
        """Return zero states for every table."""
        return [
            [
                torch.zeros(t.rows if (kind, name) in ROW_STATES else (t.rows, t.width))
                for name in STATES[kind]
            ]
            for t in self.layout.tables
        ]


def draw_problem(
    tables: Sequence[TableSpec],
    features: Sequence[FeatureSpec],
    batch: int,
    *,
    jagged: bool = False,
    weighted: bool = False,
    dtype: torch.dtype = torch.int64,
    most: int = 5,
    skew: float = 1.0,
    seed: int = 0,
) -> Problem:
    """Draw tables, ids with repetition (small ones the oftener the greater ``skew``), bags of 0..most ids."""
    rng = np.random.default_rng(seed)
    layout = Layout(tuple(tables), tuple(features))
    stored = [draw_table(rng, table) for table in tables]
    lengths = rng.integers(0, most + 1, (len(features), batch)) if jagged else np.ones((len(features), batch))
    counts = lengths.sum(axis=1).astype(np.int64)
    drawn = [_draw_ids(rng, layout, f, int(n), skew) for f, n in enumerate(counts)]
    offsets = None
    if jagged:
        ids = np.concatenate(drawn)
        offsets = torch.from_numpy(np.concatenate([[0], lengths.astype(np.int64).ravel().cumsum()]))
    else:
        ids = np.stack(drawn, axis=1)
    weights = torch.from_numpy(rng.normal(size=ids.shape).astype(np.float32)) if weighted else None
    bags = Bags(torch.from_numpy(ids).to(dtype), offsets, len(features), weights)
    size = sum(int(counts[f]) * tables[features[f].table].width for f in layout.sequence_features)
    grad = Embedded(
        torch.from_numpy(rng.normal(size=(batch, layout.pooled_width)).astype(np.float32)),
        torch.from_numpy(rng.normal(size=size).astype(np.float32)),
    )
    return Problem(layout, [table for table, _ in stored], [values for _, values in stored], bags, grad)


def one_feature_per_table(tables: Sequence[TableSpec]) -> list[FeatureSpec]:
    return [FeatureSpec(table.name, index) for index, table in enumerate(tables)]


def simple_problem(
    shapes: Sequence[tuple[int, int]], batch: int, *, row_format: RowFormat = "fp32", seed: int = 0
) -> Problem:
    """Draw tables t0, t1, ... of (E, D) with a summed feature each, one id per bag."""
    tables = [TableSpec(f"t{index}", *shape, row_format) for index, shape in enumerate(shapes)]
    return draw_problem(tables, one_feature_per_table(tables), batch, seed=seed)


def draw_table(rng: np.random.Generator, table: TableSpec) -> tuple[Tensor, Floats]:
    """Return a table as it is stored, and the numbers that it holds."""
    if table.format in _DTYPES:
        stored = torch.from_numpy(rng.normal(size=(table.rows, table.width))).to(_DTYPES[table.format])
        return stored, stored.double().numpy().copy()
    bits = _BITS[table.format]
    number = np.float32 if bits == 8 else np.float16
    codes = rng.integers(0, 2**bits, (table.rows, table.width), dtype=np.uint8)
    parameters = rng.normal(size=(table.rows, 2)).astype(number)  # scale, bias
    per_byte = 8 // bits
    padded = np.zeros((table.rows, -(-table.width // per_byte) * per_byte), np.uint8)
    padded[:, : table.width] = codes
    packed = np.zeros((table.rows, padded.shape[1] // per_byte), np.uint8)
    for place in range(per_byte):
        packed |= padded[:, place::per_byte] << (bits * place)
    rows = np.concatenate([packed, parameters.view(np.uint8)], axis=1)
    scale, bias = parameters.astype(np.float64).T
    return torch.from_numpy(rows), codes * scale[:, None] + bias[:, None]


def _draw_ids(
    rng: np.random.Generator, layout: Layout, feature: int, count: int, skew: float
) -> NDArray[np.int64]:
    spec = layout.features[feature]
    rows = layout.tables[spec.table].rows
    ids = (rows * rng.random(count) ** (1 + skew)).astype(np.int64)
    if spec.padding is not None:
        ids[rng.random(count) < 0.3] = spec.padding
    return ids
