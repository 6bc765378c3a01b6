"""Gradients of rows, seen through plain SGD, and of per-lookup weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from tests.kernels.embedding_bag import model
from tests.kernels.embedding_bag.checks import assert_close, plain_sgd, problems, properties
from tests.kernels.embedding_bag.problems import (
    BACKENDS,
    FAST,
    FLOATS,
    Problem,
    draw_problem,
    one_feature_per_table,
)

from hotrow.kernels import BackendName, record_paths
from hotrow.kernels.embedding_bag import (
    FeatureSpec,
    TableSpec,
    backward_update,
    fused_embedding_bag,
    sparse_embedding_bag,
    weights_gradient,
)
from hotrow.kernels.row_formats import RowFormat

STEP = {"fp32": 2e-5, "fp16": 2**-10, "bf16": 2**-7}


def check_rows(problem: Problem, backend: BackendName) -> None:
    before = [table.clone() for table in problem.tables]
    with record_paths() as paths:
        update = plain_sgd(0.5)
        backward_update(
            problem.tables, [], problem.layout, problem.bags, problem.grad, update, backend=backend
        )
    assert paths == [("embedding_bag_backward", backend)]
    gradients = model.row_gradients(problem)
    model.step(problem, [[] for _ in problem.tables], plain_sgd(0.5))
    for index, table in enumerate(problem.tables):
        assert_close(table, problem.values[index], STEP[problem.layout.tables[index].format])
        untouched = [row for row in range(len(table)) if row not in gradients[index]]
        assert torch.equal(table[untouched], before[index][untouched])


def check_weights(problem: Problem, backend: BackendName) -> None:
    result = weights_gradient(problem.tables, problem.layout, problem.bags, problem.grad, backend=backend)
    assert_close(result, model.weights_gradient(problem))


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems(FLOATS))
@properties
def test_rows_match_float64(backend: BackendName, problem: Problem) -> None:
    check_rows(problem, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems())
@properties
def test_weights_match_float64(backend: BackendName, problem: Problem) -> None:
    if problem.bags.weights is not None:
        check_weights(problem, backend)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("row_format", FLOATS)
def test_every_width(backend: BackendName, row_format: RowFormat) -> None:
    tables = [TableSpec(f"t{width}", 3, width, row_format) for width in range(1, 131)]
    for jagged, weighted in ((False, False), (True, True)):
        problem = draw_problem(tables, one_feature_per_table(tables), 3, jagged=jagged, weighted=weighted)
        if weighted:
            check_weights(problem, backend)
        check_rows(problem, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("jagged", [False, True])
def test_tables_without_a_feature_or_an_example_stay(backend: BackendName, jagged: bool) -> None:
    tables = [TableSpec("a", 4, 3), TableSpec("unused", 4, 3)]
    for batch in (0, 3):
        check_rows(draw_problem(tables, [FeatureSpec("f", 0)], batch, jagged=jagged), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_padding_changes_nothing(backend: BackendName) -> None:
    problem = draw_problem([TableSpec("a", 4, 3)], [FeatureSpec("f", 0, padding=-1)], 200)
    problem.bags.ids.fill_(-1)
    check_rows(problem, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_table_shared_by_features_is_stepped_once(backend: BackendName) -> None:
    features = [
        FeatureSpec("a", 0),
        FeatureSpec("b", 0, "mean", 3),
        FeatureSpec("c", 0, "none"),
        FeatureSpec("d", 1),
    ]
    tables = [TableSpec("shared", 12, 9), TableSpec("own", 12, 9)]
    problem = draw_problem(tables, features, 30, jagged=True, weighted=True)
    check_weights(problem, backend)
    check_rows(problem, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("jagged", [False, True])
def test_autograd_of_weights_and_tables(backend: BackendName, jagged: bool) -> None:
    features = [FeatureSpec("a", 0, "mean"), FeatureSpec("b", 1, "none", 2)]
    tables = [TableSpec("t", 12, 9), TableSpec("u", 7, 17)]
    problem = draw_problem(tables, features, 10, jagged=jagged, weighted=True)
    expected, gradients = model.weights_gradient(problem), model.row_gradients(problem)
    weights = problem.bags.weights
    assert weights is not None
    weights.requires_grad_()
    parameters = [table.clone().requires_grad_() for table in problem.tables]
    result = sparse_embedding_bag(parameters, problem.layout, problem.bags, backend=backend)
    outputs = [result.pooled, result.sequences]
    torch.autograd.backward(outputs, [problem.grad.pooled, problem.grad.sequences])
    assert weights.grad is not None
    assert_close(weights.grad, expected)
    for table, parameter in enumerate(parameters):
        dense = np.zeros(tuple(parameter.shape))
        for row, gradient in gradients[table].items():
            dense[row] = gradient
        assert parameter.grad is not None
        assert_close(parameter.grad.to_dense(), dense)
    given = weights.detach().clone().requires_grad_()
    bags = replace(problem.bags, weights=given)
    anchor = torch.zeros(1, requires_grad=True)
    rows, layout = problem.tables, problem.layout
    result = fused_embedding_bag(rows, [], layout, bags, lambda: plain_sgd(0.5), anchor, backend=backend)
    torch.autograd.backward([result.pooled, result.sequences], [problem.grad.pooled, problem.grad.sequences])
    assert given.grad is not None
    assert_close(given.grad, expected)  # of the rows before their step
    model.step(problem, [[], []], plain_sgd(0.5))
    for stepped, values in zip(problem.tables, problem.values, strict=True):
        assert_close(stepped, values)


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_that_want_a_gradient_are_looked_up_without_one(backend: BackendName) -> None:
    problem = draw_problem([TableSpec("t", 12, 9)], [FeatureSpec("a", 0)], 10, weighted=True)
    expected, _ = model.forward(problem)
    assert problem.bags.weights is not None
    problem.bags.weights.requires_grad_()
    with torch.no_grad():
        result = sparse_embedding_bag(problem.tables, problem.layout, problem.bags, backend=backend)
    assert_close(result.pooled, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_over_quantised_rows_get_their_gradient(backend: BackendName) -> None:
    problem = draw_problem([TableSpec("t", 12, 9, "int4")], [FeatureSpec("a", 0)], 10, weighted=True)
    expected = model.weights_gradient(problem)
    assert problem.bags.weights is not None
    problem.bags.weights.requires_grad_()
    result = sparse_embedding_bag(problem.tables, problem.layout, problem.bags, backend=backend)
    torch.autograd.backward(result.pooled, problem.grad.pooled)
    assert problem.bags.weights.grad is not None
    assert_close(problem.bags.weights.grad, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gradient_of_pooled_alone(backend: BackendName) -> None:
    """Autograd leaves out what the loss does not use."""
    features = [FeatureSpec("a", 0), FeatureSpec("b", 0, "none")]
    problem = draw_problem([TableSpec("t", 12, 9)], features, 10)
    anchor = torch.zeros(1, requires_grad=True)
    tables, layout, bags = problem.tables, problem.layout, problem.bags
    result = fused_embedding_bag(tables, [], layout, bags, lambda: plain_sgd(0.5), anchor, backend=backend)
    torch.autograd.backward(result.pooled, problem.grad.pooled)
    problem.grad.sequences.zero_()
    model.step(problem, [[]], plain_sgd(0.5))
    assert_close(problem.tables[0], problem.values[0])
