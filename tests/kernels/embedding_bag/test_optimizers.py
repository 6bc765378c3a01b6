"""Every optimizer over many steps against float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.kernels.embedding_bag import model
from tests.kernels.embedding_bag.checks import assert_close, make_update, problems, properties
from tests.kernels.embedding_bag.problems import BACKENDS, FLOATS, KINDS, Problem, draw_problem
from torch import Tensor

from hotrow.kernels import BackendName
from hotrow.kernels.embedding_bag import (
    DecayKind,
    FeatureSpec,
    OptimizerKind,
    TableSpec,
    Update,
    backward_update,
)

PLANS: dict[str, dict[str, object]] = {
    "plain": {},
    "l2": {"weight_decay": 0.3},
    "decoupled": {"weight_decay": 0.3, "decay": "decoupled"},
    "clip_value": {"clip_value": 0.4},
    "clip_norm": {"clip_norm": 0.7},
    "all": {"weight_decay": 0.1, "clip_value": 0.9, "clip_norm": 1.1, "eps": 1e-3},
    "all decoupled": {"weight_decay": 0.1, "decay": "decoupled", "clip_value": 0.9, "clip_norm": 1.1},
    "no momentum": {"beta1": 0.0, "beta2": 0.0, "eps": 0.1},
    "long memory": {"beta1": 0.999, "beta2": 0.999999},
}


def draw(seed: int, batch: int = 12) -> Problem:
    tables = [TableSpec("a", 9, 7), TableSpec("b", 5, 16), TableSpec("c", 20, 37)]
    features = [
        FeatureSpec("a", 0),
        FeatureSpec("b", 1, "mean"),
        FeatureSpec("c", 2, padding=3),
        FeatureSpec("d", 0),
    ]
    return draw_problem(tables, features, batch, jagged=True, most=2, weighted=seed % 2 == 0, seed=seed)


def run(problem: Problem, states: list[list[Tensor]], update: Update, backend: BackendName) -> None:
    tables, layout, bags, grad = problem.tables, problem.layout, problem.bags, problem.grad
    backward_update(tables, states, layout, bags, grad, update, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_steps_match_float64(backend: BackendName, kind: OptimizerKind, plan: str) -> None:
    """The learning rate changes on the way."""
    problem = draw(0)
    update = make_update(kind, **PLANS[plan])
    states, expected = problem.states(kind), model.zero_states(problem, update)
    for number in range(1, 101 if backend == "cpu" else 21):
        batch = draw(number)
        problem.bags, problem.grad = batch.bags, batch.grad
        update = replace(update, step=number, lr=0.05 / (1 + number % 9))
        run(problem, states, update, backend)
        model.step(problem, expected, update)
    for index, table in enumerate(problem.tables):
        assert_close(table, problem.values[index], 1e-4)
        for state, values in zip(states[index], expected[index], strict=True):
            assert_close(state, values, 1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    problem=problems(["fp32"]),
    kind=st.sampled_from(KINDS),
    plan=st.sampled_from(list(PLANS)),
    step=st.sampled_from([1, 2, 1000, 10**7]),
)
@properties
def test_any_step_matches_float64(
    backend: BackendName, problem: Problem, kind: OptimizerKind, plan: str, step: int
) -> None:
    update = make_update(kind, step=step, **PLANS[plan])
    rng = np.random.default_rng(1)
    expected = [
        [rng.uniform(0.5, 2.0, s.shape) for s in states] for states in model.zero_states(problem, update)
    ]
    states = [[torch.from_numpy(s.astype(np.float32)) for s in of_table] for of_table in expected]
    run(problem, states, update, backend)
    model.step(problem, expected, update)
    for index, table in enumerate(problem.tables):
        assert_close(table, problem.values[index])
        for state, values in zip(states[index], expected[index], strict=True):
            assert_close(state, values)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row_format", ["fp16", "bf16"])
def test_rows_of_two_bytes_follow_float64(backend: BackendName, kind: OptimizerKind, row_format: str) -> None:
    assert row_format in FLOATS
    table = TableSpec("t", 12, 21, row_format)
    problem = draw_problem([table], [FeatureSpec("f", 0)], 30, jagged=True)
    update = make_update(kind, weight_decay=0.1, clip_norm=2.0)
    states, expected = problem.states(kind), model.zero_states(problem, update)
    run(problem, states, update, backend)
    model.step(problem, expected, update)
    np.testing.assert_allclose(
        problem.tables[0].double().numpy(),
        problem.values[0],
        rtol=2**-11 * 1.01 if row_format == "fp16" else 2**-8 * 1.01,
        atol=1e-5,
    )
    for state, values in zip(states[0], expected[0], strict=True):
        assert_close(state, values)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decay", ["l2", "decoupled"])
def test_decay_shrinks_rows_without_a_gradient(
    backend: BackendName, kind: OptimizerKind, decay: DecayKind
) -> None:
    """The row is touched, its gradient is zero: what is left is the decay."""
    problem = draw_problem([TableSpec("t", 3, 20)], [FeatureSpec("f", 0)], 6)
    problem.bags.ids.fill_(1)
    problem.grad.pooled.zero_()
    before = problem.tables[0].clone()
    run(problem, problem.states(kind), make_update(kind, weight_decay=0.5, decay=decay), backend)
    after = problem.tables[0]
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert bool((after[1].abs() < before[1].abs()).all())
    if decay == "decoupled" and kind != "lamb":
        torch.testing.assert_close(after[1], before[1] * (1 - 0.05 * 0.5))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_step_zero_of_the_learning_rate_moves_states_alone(backend: BackendName, kind: OptimizerKind) -> None:
    problem = draw(3)
    before = [table.clone() for table in problem.tables]
    states = problem.states(kind)
    run(problem, states, make_update(kind, lr=0.0), backend)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(before, problem.tables, strict=True))
    assert all(bool(state.any()) for of_table in states for state in of_table)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["adam", "lamb", "adagrad", "rowwise_adagrad"])
def test_zero_gradients_and_zero_rows_stay_finite(backend: BackendName, kind: OptimizerKind) -> None:
    problem = draw(4)
    for table in problem.tables:
        table.zero_()
    problem.grad.pooled.zero_()
    run(problem, problem.states(kind), make_update(kind), backend)
    assert not any(bool(table.any()) for table in problem.tables)
