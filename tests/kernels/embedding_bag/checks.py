"""What the tests of the lookup compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tests.kernels.embedding_bag.problems import FAST, FORMATS, Floats, Problem, draw_problem
from torch import Tensor

from hotrow.kernels.embedding_bag import FeatureSpec, OptimizerKind, TableSpec, Update
from hotrow.kernels.row_formats import RowFormat

needs_cpu = pytest.mark.skipif("cpu" not in FAST, reason="the compiled kernels are not installed")
properties = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_close(actual: Tensor, expected: Floats, tolerance: float = 2e-5) -> None:
    """Compare with an error relative to the largest number expected, but at least to 1."""
    assert tuple(actual.shape) == expected.shape
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual.double().numpy(), expected, rtol=tolerance, atol=tolerance * scale)


def same_bits(mine: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return all(
        torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))
        if a.ndim
        else torch.equal(a, b)
        for a, b in zip(mine, others, strict=True)
    )


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def plain_sgd(lr: float = 1.0) -> Update:
    return Update(kind="sgd", lr=lr)


def make_update(kind: OptimizerKind, **changes: object) -> Update:
    return replace(Update(kind=kind, lr=0.05, beta1=0.8, beta2=0.95, stochastic=False), **changes)  # type: ignore[arg-type]


@st.composite
def problems(draw: st.DrawFn, formats: Sequence[RowFormat] = tuple(FORMATS)) -> Problem:
    """Any small problem."""
    width = st.one_of(st.integers(1, 20), st.integers(1, 130))
    tables = [
        TableSpec(f"t{index}", draw(st.integers(1, 40)), draw(width), draw(st.sampled_from(formats)))
        for index in range(draw(st.integers(1, 3)))
    ]
    features = []
    for index in range(draw(st.integers(1, 4))):
        table = draw(st.integers(0, len(tables) - 1))
        padding = draw(st.sampled_from([None, None, -1, 0, tables[table].rows, 2**40]))
        features.append(
            FeatureSpec(f"f{index}", table, draw(st.sampled_from(["sum", "mean", "none"])), padding)
        )
    wide = any(feature.padding == 2**40 for feature in features)
    return draw_problem(
        tables,
        features,
        draw(st.integers(0, 20)),
        jagged=draw(st.booleans()),
        weighted=draw(st.booleans()),
        dtype=torch.int64 if wide else draw(st.sampled_from([torch.int32, torch.int64])),
        most=draw(st.sampled_from([1, 5, 30])),
        skew=draw(st.sampled_from([0.0, 1.0, 4.0])),
        seed=draw(st.integers(0, 2**32)),
    )
