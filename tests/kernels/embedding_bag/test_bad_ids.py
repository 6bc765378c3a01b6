"""Ids outside their table: an IndexError names feature, place and id, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.kernels.embedding_bag.checks import make_update, same_bits, threads
from tests.kernels.embedding_bag.problems import BACKENDS, FAST, KINDS, Problem, draw_problem

from hotrow.kernels import BackendName
from hotrow.kernels.embedding_bag import (
    Bags,
    FeatureSpec,
    OptimizerKind,
    Pooling,
    TableSpec,
    backward_update,
    embedding_bag,
    weights_gradient,
)

POOLINGS: list[Pooling] = ["sum", "mean", "none"]


def refused(problem: Problem, kind: OptimizerKind, backend: BackendName, message: str) -> None:
    """Check that every operation refuses with the same words, and leaves tables and states."""
    tables, layout, bags, grad = problem.tables, problem.layout, problem.bags, problem.grad
    states = problem.states(kind)
    watched = [*tables, *(state for of_table in states for state in of_table)]
    before = [tensor.clone() for tensor in watched]
    calls: list[Callable[[], object]] = [
        lambda: embedding_bag(tables, layout, bags, backend=backend),
        lambda: backward_update(tables, states, layout, bags, grad, make_update(kind), backend=backend),
    ]
    if bags.weights is not None:
        calls.append(lambda: weights_gradient(tables, layout, bags, grad, backend=backend))
    for call in calls:
        with pytest.raises(IndexError) as caught:
            call()
        assert str(caught.value) == message
    assert same_bits(before, watched)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad_id", [-1, 10, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_one_id_per_bag(backend: BackendName, bad_id: int, dtype: torch.dtype) -> None:
    tables = [TableSpec("big", 20, 3), TableSpec("small", 10, 3)]
    problem = draw_problem(tables, [FeatureSpec("f", 0), FeatureSpec("g", 1)], 4, dtype=dtype)
    problem.bags.ids[2, 1] = bad_id
    refused(
        problem, "adam", backend, f"feature g: id {bad_id} at example 2 is outside table small of 10 rows"
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad_id", [2**32, 2**32 + 3, -(2**32) + 3, 2**63 - 1, -(2**63)])
def test_wide_ids_are_not_cut_to_32_bits(backend: BackendName, bad_id: int) -> None:
    problem = draw_problem([TableSpec("t", 10, 3)], [FeatureSpec("f", 0)], 4)
    problem.bags.ids[3, 0] = bad_id
    refused(problem, "sgd", backend, f"feature f: id {bad_id} at example 3 is outside table t of 10 rows")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("padding", [None, -1, 3])
def test_jagged(backend: BackendName, pooling: Pooling, padding: int | None) -> None:
    """The place is given as example and position in its bag; the first bad id of several is named."""
    features = [FeatureSpec("f", 0), FeatureSpec("g", 1, pooling, padding)]
    problem = draw_problem(
        [TableSpec("a", 90, 3), TableSpec("b", 10, 3)], features, 6, jagged=True, weighted=True
    )
    offsets = problem.bags.offsets
    assert offsets is not None
    bag = next(b for b in range(5, -1, -1) if offsets[6 + b + 1] - offsets[6 + b] >= 2)
    at = int(offsets[6 + bag]) + 1
    problem.bags.ids[at] = -2
    refused(
        problem,
        "adagrad",
        backend,
        f"feature g: id -2 at example {bag}, position 1 is outside table b of 10 rows",
    )
    first = int(offsets[6:13].diff().nonzero()[0])
    problem.bags.ids[offsets[6]] = 11
    refused(
        problem,
        "lamb",
        backend,
        f"feature g: id 11 at example {first}, position 0 is outside table b of 10 rows",
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_padding_of_another_feature_is_no_excuse(backend: BackendName) -> None:
    features = [FeatureSpec("f", 0, padding=-1), FeatureSpec("g", 0)]
    problem = draw_problem([TableSpec("t", 10, 3)], features, 2)
    problem.bags.ids.fill_(-1)
    refused(problem, "sgd", backend, "feature g: id -1 at example 0 is outside table t of 10 rows")


@pytest.mark.parametrize("backend", FAST)
def test_padding_that_int32_cannot_hold_excuses_nothing(backend: BackendName) -> None:
    features = [FeatureSpec("f", 0, padding=2**32 - 1)]
    problem = draw_problem([TableSpec("t", 10, 3)], features, 2)
    ids = torch.tensor([[4], [-1]], dtype=torch.int32)
    problem.bags = Bags(ids, None, 1)
    refused(problem, "sgd", backend, "feature f: id -1 at example 1 is outside table t of 10 rows")


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("jagged", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_far_into_a_large_batch(backend: BackendName, kind: OptimizerKind, jagged: bool, last: bool) -> None:
    """Other threads have seen only good ids; the table is sorted by all threads together."""
    features = [FeatureSpec("f", 0), FeatureSpec("g", 1)]
    tables = [TableSpec("a", 1000, 4), TableSpec("b", 100, 4)]
    problem = draw_problem(tables, features, 40_000, jagged=jagged, most=2, skew=4.0)
    if last:
        problem.bags.ids.view(-1)[-1] = 100
        place = "example 39999"
        if jagged:
            assert problem.bags.offsets is not None
            end = problem.bags.ids.numel()
            bag = int((problem.bags.offsets < end).sum()) - 1
            place = f"example {bag - 40_000}, position {end - 1 - int(problem.bags.offsets[bag])}"
        message = f"feature g: id 100 at {place} is outside table b of 100 rows"
    else:
        problem.bags.ids.view(-1)[0] = 1000
        first = 0 if problem.bags.offsets is None else int(problem.bags.offsets.diff().nonzero()[0])
        place = f"example {first}" + (", position 0" if jagged else "")
        message = f"feature f: id 1000 at {place} is outside table a of 1000 rows"
    for count in (1, 3):
        with threads(count):
            refused(problem, kind, backend, message)
