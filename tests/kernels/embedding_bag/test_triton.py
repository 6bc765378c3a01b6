"""The Triton backend against the reference: under Triton's interpreter, and on a GPU where there is one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Literal, get_args

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotrow.kernels import record_paths
from hotrow.kernels.embedding_bag import reference
from hotrow.kernels.embedding_bag._types import (
    STATES,
    Embedded,
    FeatureSpec,
    Implementation,
    Layout,
    OptimizerKind,
    TableSpec,
    Update,
)
from hotrow.kernels.row_formats import FLOAT_DTYPES, RowFormat

WIDTHS = (1, 7, 16, 33, 130)
FORMATS: tuple[RowFormat, ...] = get_args(RowFormat)
TOLERANCE = {torch.float32: 2e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}
Decay = Literal["none", "l2", "decoupled"]


def layout_of(formats: tuple[RowFormat, ...], widths: tuple[int, ...] = WIDTHS) -> Layout:
    """Return every pooling, with and without padding, over tables of each format and width, two shared."""
    tables = [TableSpec(f"{f}{w}", 11 + w % 5, w, f) for f in formats for w in widths]
    features = [FeatureSpec(f"s{i}", i) for i in range(len(tables))]
    features += [FeatureSpec("m", 0, "mean", padding=-1), FeatureSpec("p", len(tables) - 1, "sum", padding=3)]
    features += [FeatureSpec("n", 0, "none", padding=0), FeatureSpec("o", len(tables) - 1, "none")]
    return Layout(tuple(tables), tuple(features))


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert actual.dtype == expected.dtype
    tolerance = TOLERANCE.get(expected.dtype, 0)
    torch.testing.assert_close(actual.cpu(), expected, rtol=tolerance, atol=tolerance)


def assert_same_embedded(actual: Embedded, expected: Embedded) -> None:
    assert_close(actual.pooled, expected.pooled)
    assert_close(actual.sequences, expected.sequences)


def check_update(backend: Implementation, problem: Any, update: Update, device: str) -> None:
    mine, theirs = problem.copy(device), problem.copy("cpu")
    for implementation, copy in ((backend, mine), (reference, theirs)):
        implementation.backward_update(copy.tables, copy.states, copy.layout, copy.bags, copy.grad, update)
    for actual, expected in zip(mine.tables, theirs.tables, strict=True):
        assert_close(actual, expected)
    for of_table, expected_of_table in zip(mine.states, theirs.states, strict=True):
        for actual, expected in zip(of_table, expected_of_table, strict=True):
            assert_close(actual, expected)


@pytest.mark.parametrize("jagged", [False, True])
@pytest.mark.parametrize("row_format", FORMATS)
def test_lookup(
    row_format: RowFormat, jagged: bool, device: str, triton_backend: Implementation, make_problem: Any
) -> None:
    problem = make_problem(layout_of((row_format,)), 9, jagged=jagged, weighted=jagged)
    there = problem.copy(device)
    expected = reference.forward(problem.tables, problem.layout, problem.bags)
    with record_paths() as paths:
        assert_same_embedded(triton_backend.forward(there.tables, there.layout, there.bags), expected)
    assert paths == [("embedding_bag_forward", "triton")]


@pytest.mark.parametrize("jagged", [False, True])
@pytest.mark.parametrize("formats", [("fp32", "int8"), ("bf16", "int4"), ("fp16", "int2")])
def test_weights_gradient(
    formats: tuple[RowFormat, ...],
    jagged: bool,
    device: str,
    triton_backend: Implementation,
    make_problem: Any,
) -> None:
    problem = make_problem(layout_of(formats, (300,)), 5, jagged=jagged, weighted=True)
    there = problem.copy(device)
    expected = reference.weights_gradient(problem.tables, problem.layout, problem.bags, problem.grad)
    actual = triton_backend.weights_gradient(there.tables, there.layout, there.bags, there.grad)
    assert_close(actual, expected)


@pytest.mark.parametrize("decay", ["none", "l2", "decoupled"])
@pytest.mark.parametrize("kind", STATES)
def test_update(
    kind: OptimizerKind, decay: Decay, device: str, triton_backend: Implementation, make_problem: Any
) -> None:
    clips: Any = {"clip_value": 1.5, "clip_norm": 2.5} if decay == "l2" else {}
    how: Any = {} if decay == "none" else {"weight_decay": 0.1, "decay": decay}
    update = Update(kind=kind, lr=0.1, step=3, stochastic=False, **clips, **how)
    problem = make_problem(
        layout_of(("fp32",), (7, 33)), 6, jagged=decay != "l2", weighted=decay == "none", kind=kind
    )
    check_update(triton_backend, problem, update, device)


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("row_format", ["fp16", "bf16"])
def test_update_of_short_formats(
    row_format: RowFormat, stochastic: bool, device: str, triton_backend: Implementation, make_problem: Any
) -> None:
    problem = make_problem(layout_of((row_format,)), 9, jagged=stochastic, kind="rowwise_adagrad")
    update = Update(kind="rowwise_adagrad", lr=0.1, stochastic=stochastic, seed=5)
    check_update(triton_backend, problem, update, device)


def test_rows_that_occur_thousands_of_times(
    device: str, triton_backend: Implementation, make_problem: Any
) -> None:
    tables = (TableSpec("a", 3, 7), TableSpec("b", 70, 16), TableSpec("c", 2, 7))
    features = (FeatureSpec("a", 0), FeatureSpec("b", 1, padding=9), FeatureSpec("c", 2))
    problem = make_problem(Layout(tables, features), 5000)
    problem.bags.ids[:, 0] = 1
    problem.bags.ids[:4000, 1] = 9
    problem = type(problem)(
        problem.tables, problem.states, problem.layout, problem.bags, scaled(problem.grad, 1e-2)
    )
    check_update(triton_backend, problem, Update(kind="sgd", lr=0.1), device)


def scaled(grad: Embedded, factor: float) -> Embedded:
    return Embedded(grad.pooled * factor, grad.sequences * factor)


def test_empty_batches(device: str, triton_backend: Implementation, make_problem: Any) -> None:
    layout = layout_of(("fp32",), (7, 16))
    for problem in (
        make_problem(layout, 0),
        make_problem(layout, 0, jagged=True),
        make_problem(layout, 3, jagged=True, most=0, weighted=True),
    ):
        expected = reference.forward(problem.tables, problem.layout, problem.bags)
        there = problem.copy(device)
        assert_same_embedded(triton_backend.forward(there.tables, there.layout, there.bags), expected)
        check_update(triton_backend, problem, Update(kind="sgd", lr=0.1), device)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_any_small_problem(
    data: st.DataObject, device: str, triton_backend: Implementation, make_problem: Any
) -> None:
    formats = st.sampled_from(tuple(FLOAT_DTYPES))
    shapes = data.draw(st.lists(st.tuples(formats, st.integers(1, 20)), min_size=1, max_size=3))
    tables = tuple(TableSpec(f"t{i}", 1 + i * 4, width, f) for i, (f, width) in enumerate(shapes))
    features = data.draw(
        st.lists(
            st.builds(
                FeatureSpec,
                st.just("f"),
                st.integers(0, len(tables) - 1),
                st.sampled_from(["sum", "mean", "none"]),
                st.sampled_from([None, -1, 0]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    problem = make_problem(
        Layout(tables, tuple(features)),
        data.draw(st.integers(1, 5)),
        jagged=data.draw(st.booleans()),
        weighted=data.draw(st.booleans()),
        dtype=data.draw(st.sampled_from([torch.int32, torch.int64])),
        kind="adam",
        seed=data.draw(st.integers(0, 99)),
    )
    there = problem.copy(device)
    expected = reference.forward(problem.tables, problem.layout, problem.bags)
    assert_same_embedded(triton_backend.forward(there.tables, there.layout, there.bags), expected)
    check_update(triton_backend, problem, Update(kind="adam", lr=0.05), device)


def test_triton_is_imported_only_when_selected() -> None:
    code = "import sys, hotrow.kernels.embedding_bag; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
