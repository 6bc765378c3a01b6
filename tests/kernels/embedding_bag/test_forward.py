from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from tests.kernels.embedding_bag import model
from tests.kernels.embedding_bag.checks import assert_close, problems, properties
from tests.kernels.embedding_bag.problems import (
    BACKENDS,
    FAST,
    FORMATS,
    Problem,
    draw_problem,
    draw_table,
    one_feature_per_table,
)

from hotrow.kernels import BackendName, record_paths
from hotrow.kernels.embedding_bag import Bags, FeatureSpec, Layout, TableSpec, embedding_bag
from hotrow.kernels.row_formats import RowFormat


def check(problem: Problem, backend: BackendName) -> None:
    with record_paths() as paths:
        result = embedding_bag(problem.tables, problem.layout, problem.bags, backend=backend)
    assert paths == [("embedding_bag_forward", backend)]
    pooled, sequences = model.forward(problem)
    assert result.pooled.dtype == result.sequences.dtype == torch.float32
    assert_close(result.pooled, pooled)
    assert_close(result.sequences, sequences)


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems())
@properties
def test_matches_float64(backend: BackendName, problem: Problem) -> None:
    check(problem, backend)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("row_format", FORMATS)
def test_every_width(backend: BackendName, row_format: RowFormat) -> None:
    """Each width as a plain copy, a sum and a weighted sum."""
    tables = [TableSpec(f"t{width}", 3, width, row_format) for width in range(1, 131)]
    for jagged, weighted in ((False, False), (True, False), (True, True)):
        problem = draw_problem(tables, one_feature_per_table(tables), 2, jagged=jagged, weighted=weighted)
        check(problem, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("jagged", [False, True])
@pytest.mark.parametrize("pooling", ["sum", "mean", "none"])
def test_no_examples(backend: BackendName, jagged: bool, pooling: str) -> None:
    feature = FeatureSpec("f", 0, pooling)  # type: ignore[arg-type]
    problem = draw_problem([TableSpec("t", 4, 3)], [feature] * 2, 0, jagged=jagged, weighted=True)
    check(problem, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_empty_bags(backend: BackendName) -> None:
    tables = [TableSpec("a", 4, 3), TableSpec("b", 4, 17)]
    features = [FeatureSpec("a", 0), FeatureSpec("b", 1, "mean", padding=-1), FeatureSpec("c", 1, "none")]
    check(draw_problem(tables, features, 5, jagged=True, most=0), backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_bags_of_padding_alone_are_zero(backend: BackendName, pooling: str) -> None:
    layout = Layout((TableSpec("t", 4, 5),), (FeatureSpec("f", 0, pooling, padding=2),))  # type: ignore[arg-type]
    bags = Bags(torch.tensor([2, 2, 2, 1]), torch.tensor([0, 2, 4]), 1)
    table = torch.randn(4, 5)
    table[2] = float("nan")  # what padding points to is not read
    result = embedding_bag([table], layout, bags, backend=backend).pooled
    assert result[0].tolist() == [0.0] * 5
    assert torch.equal(result[1], table[1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("length", [255, 256, 257, 700])
def test_long_bags_with_padding(backend: BackendName, length: int) -> None:
    """Longer than the kernels gather at once; in all formats."""
    tables = [TableSpec(row_format, 50, 19, row_format) for row_format in FORMATS]
    features = [FeatureSpec(table.name, index, "mean", padding=-1) for index, table in enumerate(tables)]
    problem = draw_problem(tables, features, 1, jagged=True, most=0, weighted=True)
    rng = np.random.default_rng(1)
    ids = torch.from_numpy(rng.integers(-1, 50, length * 6))
    weights = torch.from_numpy(rng.random(length * 6, dtype=np.float32))
    problem.bags = Bags(ids, torch.arange(0, length * 6 + 1, length), 6, weights)
    check(problem, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_tables_of_different_widths(backend: BackendName) -> None:
    formats = FORMATS * 20
    tables = [TableSpec(f"t{i}", 1 + i % 7, 1 + i * 5 % 77, formats[i]) for i in range(120)]
    for jagged in (False, True):
        check(draw_problem(tables, one_feature_per_table(tables), 9, jagged=jagged), backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_ids_that_are_not_contiguous(backend: BackendName, dtype: torch.dtype) -> None:
    tables = [TableSpec("a", 30, 7), TableSpec("b", 9, 16)]
    problem = draw_problem(tables, one_feature_per_table(tables), 12, weighted=True, dtype=dtype)
    expected, _ = model.forward(problem)
    ids, weights = problem.bags.ids, problem.bags.weights
    assert weights is not None
    strange = Bags(ids.T.contiguous().T, None, 2, torch.stack([weights, weights], dim=2)[:, :, 1])
    assert not strange.ids.is_contiguous()
    assert_close(embedding_bag(problem.tables, problem.layout, strange, backend=backend).pooled, expected)
    every_second = torch.stack([ids.T.flatten(), ids.T.flatten()], dim=1).flatten()[::2]
    jagged = Bags(every_second, torch.arange(25).repeat_interleave(2)[::2], 2, weights.T.flatten())
    assert_close(embedding_bag(problem.tables, problem.layout, jagged, backend=backend).pooled, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_split_into_pieces(backend: BackendName) -> None:
    """Enough lookups for several threads, in one bag and in many."""
    tables = [TableSpec("a", 500, 33), TableSpec("b", 70, 8, "int8")]
    features = [FeatureSpec("a", 0), FeatureSpec("b", 1, "mean", padding=0), FeatureSpec("c", 0, "none")]
    check(draw_problem(tables, features, 3000, jagged=True, most=3, weighted=True), backend)
    table, values = draw_table(np.random.default_rng(0), TableSpec("one", 90, 40))
    ids = torch.arange(9000) % 90
    layout = Layout((TableSpec("one", 90, 40),), (FeatureSpec("one", 0),))
    result = embedding_bag([table], layout, Bags(ids, torch.tensor([0, 9000]), 1), backend=backend)
    assert_close(result.pooled, 100 * values.sum(axis=0, keepdims=True))


def test_reference_computes_in_float64() -> None:
    problem = draw_problem([TableSpec("a", 30, 7)], [FeatureSpec("a", 0)], 12, jagged=True)
    table = problem.tables[0].double()
    result = embedding_bag([table], problem.layout, problem.bags, backend="reference").pooled
    assert result.dtype == torch.float64
    np.testing.assert_allclose(result.numpy(), model.forward(problem)[0], rtol=1e-12)
