"""Offsets, shapes and dtypes that do not fit: one line that says what was expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.kernels.embedding_bag.checks import make_update, same_bits
from tests.kernels.embedding_bag.problems import BACKENDS, FAST, KINDS, draw_problem, simple_problem
from torch import Tensor

from hotrow.errors import BackendUnavailableError, ConfigError, NonFiniteGradientError
from hotrow.kernels import BackendName
from hotrow.kernels.embedding_bag import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    Pooling,
    TableSpec,
    Update,
    backward_update,
    embedding_bag,
    weights_gradient,
)
from hotrow.kernels.row_formats import RowFormat

POOLINGS: list[tuple[Pooling, Pooling]] = [("sum", "sum"), ("none", "none"), ("none", "mean")]


def one_line(caught: pytest.ExceptionInfo[BaseException]) -> str:
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("poolings", POOLINGS)
@pytest.mark.parametrize(
    ("offsets", "where"),
    [
        ([0, 2, 1, 2, 3], "bag 1 of feature f"),
        ([0, 1, 3, 2, 3], "bag 0 of feature g"),
        ([0, 3, 2, 1, 0], "bag 1 of feature f"),
        ([1, 1, 2, 2, 3], "bag 0 of feature f"),
        ([-1, 0, 1, 2, 3], "bag 0 of feature f"),
        ([0, 1, 1, 2, 2], "bag 1 of feature g"),
        ([0, 1, 2, 3, 4], "bag 1 of feature g"),
        ([0, 9, 9, 9, 3], "bag 0 of feature f"),
        ([0, 2**62, 2**62, 2**62, 3], "bag 0 of feature f"),
        ([0, 1, -(2**62), 2, 3], "bag 1 of feature f"),
    ],
)
def test_bad_offsets(
    backend: BackendName, poolings: tuple[Pooling, Pooling], offsets: list[int], where: str
) -> None:
    layout = Layout(
        (TableSpec("t", 4, 2),), (FeatureSpec("f", 0, poolings[0]), FeatureSpec("g", 0, poolings[1]))
    )
    bags = Bags(torch.zeros(3, dtype=torch.int32), torch.tensor(offsets), 2, torch.ones(3))
    tables, before = [torch.ones(4, 2)], torch.ones(4, 2)
    grad = Embedded(torch.ones(2, layout.pooled_width), torch.ones(2 * poolings.count("none")))
    with pytest.raises(ValueError, match=where) as caught:
        embedding_bag(tables, layout, bags, backend=backend)
    assert "expected offsets that begin at 0, never decrease and end at the number of ids, 3" in one_line(
        caught
    )
    with pytest.raises(ValueError, match=f"{where}|sequences: got") as caught:
        backward_update(tables, [], layout, bags, grad, make_update("sgd"), backend=backend)
    one_line(caught)
    with pytest.raises(ValueError, match=f"{where}|sequences: got") as caught:
        weights_gradient(tables, layout, bags, grad, backend=backend)
    assert torch.equal(tables[0], before)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("ids", "offsets", "weights", "message"),
    [
        (torch.zeros(2, 1, dtype=torch.int32), None, None, r"ids: got shape \(2, 1\), expected \(B, 2\)"),
        (torch.zeros(2, dtype=torch.int32), None, None, r"expected \(B, 2\)"),
        (torch.zeros(2, 2), None, None, "ids: got torch.float32, expected int32 or int64"),
        (torch.zeros(2, 2, dtype=torch.int16), None, None, "expected int32 or int64"),
        (torch.zeros(2, 2, dtype=torch.int32), torch.tensor([0, 1, 4]), None, r"expected \(L,\)"),
        (torch.zeros(3, dtype=torch.int32), torch.tensor([0, 1, 2, 3]), None, r"F \* B \+ 1"),
        (torch.zeros(3, dtype=torch.int32), torch.zeros(0, dtype=torch.int64), None, r"F \* B \+ 1"),
        (torch.zeros(3, dtype=torch.int32), torch.tensor([0, 1, 3], dtype=torch.int32), None, "int64"),
        (torch.zeros(3, dtype=torch.int32), torch.tensor([[0, 1, 3]]), None, "2 dimensions"),
        (torch.zeros(3, dtype=torch.int32), torch.tensor([0]), None, "number of ids, 3"),
        (
            torch.zeros(2, 2, dtype=torch.int32),
            None,
            torch.zeros(4),
            r"weights: .* shaped as the ids, \(2, 2\)",
        ),
        (
            torch.zeros(2, 2, dtype=torch.int32),
            None,
            torch.zeros(2, 2).double(),
            "weights: .* expected float32",
        ),
    ],
)
def test_bags_that_do_not_fit(
    backend: BackendName, ids: Tensor, offsets: Tensor | None, weights: Tensor | None, message: str
) -> None:
    layout = Layout((TableSpec("t", 4, 2),), (FeatureSpec("f", 0), FeatureSpec("g", 0)))
    with pytest.raises(ValueError, match=message) as caught:
        embedding_bag([torch.zeros(4, 2)], layout, Bags(ids, offsets, 2, weights), backend=backend)
    one_line(caught)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize(
    ("row_format", "other"),
    [
        ("fp32", lambda table: table[:3]),
        ("fp32", lambda table: table.view(8, 2)),
        ("fp32", lambda table: table.view(torch.int32)),
        ("fp32", lambda table: table.as_strided((4, 4), (0, 1))),
        ("fp32", lambda table: table.half()),
        ("fp16", lambda table: table.view(torch.bfloat16)),
        ("fp16", lambda table: table.float()),
        ("int8", lambda table: table[:, :11]),
    ],
)
def test_tables_that_do_not_fit(
    backend: BackendName, seen_before: bool, row_format: RowFormat, other: Callable[[Tensor], Tensor]
) -> None:
    """Also where a table of the right shape was at the same address a moment before."""
    problem = simple_problem([(4, 4)], 3, row_format=row_format)
    if seen_before:
        embedding_bag(problem.tables, problem.layout, problem.bags, backend=backend)
    with pytest.raises(ValueError, match=r"table t0: .*expected") as caught:
        embedding_bag([other(problem.tables[0])], problem.layout, problem.bags, backend=backend)
    one_line(caught)


@pytest.mark.parametrize("backend", BACKENDS)
def test_too_few_tables(backend: BackendName) -> None:
    problem = simple_problem([(4, 4), (3, 2)], 3)
    with pytest.raises(ValueError, match="tables: got 1, expected 2"):
        embedding_bag(problem.tables[:1], problem.layout, problem.bags, backend=backend)


@pytest.mark.parametrize("backend", FAST)
def test_doubles_are_for_the_reference(backend: BackendName) -> None:
    problem = simple_problem([(4, 4)], 3)
    with pytest.raises(ValueError, match=r"table t0: got torch\.float64, expected torch\.float32"):
        embedding_bag([problem.tables[0].double()], problem.layout, problem.bags, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sgd"])
def test_states_that_do_not_fit(backend: BackendName, kind: str) -> None:
    problem = simple_problem([(4, 4), (3, 2)], 3)
    good = problem.states(kind)  # type: ignore[arg-type]
    before = [table.clone() for table in problem.tables]
    wrong = {
        "got those of 1 tables, expected 2": good[:1],
        "states of table t1: got 0, expected": [good[0], []],
        r"state \w+ of table t1: got torch.float64": [good[0], [state.double() for state in good[1]]],
        r"state \w+ of table t1: got torch.float32 \(2": [good[0], [state[:2] for state in good[1]]],
        r"state \w+ of table t0: .* contiguous": [[strided(state) for state in good[0]], good[1]],
    }
    for message, states in wrong.items():
        arguments = (problem.tables, states, problem.layout, problem.bags, problem.grad, make_update(kind))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=message) as caught:
            backward_update(*arguments, backend=backend)
        one_line(caught)
    assert same_bits(before, problem.tables)


def strided(state: Tensor) -> Tensor:
    return torch.stack([state, state], dim=-1)[..., 0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("pooled", "sequences", "message"),
    [
        (torch.zeros(3, 5), torch.zeros(6), r"gradient: got shape \(3, 5\), expected \(3, 4\)"),
        (torch.zeros(2, 4), torch.zeros(6), r"gradient: got shape \(2, 4\)"),
        (torch.zeros(3, 4), torch.zeros(7), r"sequences: got shape \(7,\), expected \(6,\)"),
        (torch.zeros(3, 4), torch.zeros(3, 2), r"sequences: got shape \(3, 2\), expected \(6,\)"),
    ],
)
def test_gradients_that_do_not_fit(
    backend: BackendName, pooled: Tensor, sequences: Tensor, message: str
) -> None:
    features = [FeatureSpec("f", 0), FeatureSpec("g", 1, "none")]
    problem = draw_problem([TableSpec("a", 4, 4), TableSpec("b", 4, 2)], features, 3, weighted=True)
    before = [table.clone() for table in problem.tables]
    for run in (
        lambda grad: backward_update(
            problem.tables, [], problem.layout, problem.bags, grad, make_update("sgd"), backend=backend
        ),
        lambda grad: weights_gradient(problem.tables, problem.layout, problem.bags, grad, backend=backend),
    ):
        with pytest.raises(ValueError, match=message):
            run(Embedded(pooled, sequences))
    assert same_bits(before, problem.tables)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_gradients_of_other_dtypes_are_converted(backend: BackendName, dtype: torch.dtype) -> None:
    problem, other = (simple_problem([(4, 4)], 3) for _ in range(2))
    rounded = problem.grad.pooled.to(dtype)
    for one, pooled in ((problem, rounded), (other, rounded.float().T.contiguous().T)):
        grad = Embedded(pooled, torch.zeros(0, dtype=pooled.dtype))
        backward_update(one.tables, [], one.layout, one.bags, grad, make_update("sgd"), backend=backend)
    torch.testing.assert_close(problem.tables[0], other.tables[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row_format", ["int8", "int4", "int2"])
def test_quantised_tables_take_no_update(backend: BackendName, row_format: RowFormat) -> None:
    problem = simple_problem([(4, 4)], 3, row_format=row_format)
    before = problem.tables[0].clone()
    arguments = (problem.layout, problem.bags, problem.grad, make_update("sgd"))
    with pytest.raises(ValueError, match=f"table t0: {row_format} rows are for inference and take no update"):
        backward_update(problem.tables, [], *arguments, backend=backend)
    assert torch.equal(problem.tables[0], before)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("sequence", [False, True])
def test_gradients_that_are_not_finite_are_refused_on_demand(
    backend: BackendName, bad: float, sequence: bool
) -> None:
    features = [FeatureSpec("f", 0), FeatureSpec("g", 1), FeatureSpec("h", 2, "none")]
    problem = draw_problem([TableSpec(name, 4, 4) for name in "abc"], features, 3)
    (problem.grad.sequences if sequence else problem.grad.pooled[2])[-1] = bad
    states = problem.states("adam")
    watched = [*problem.tables, *(state for of_table in states for state in of_table)]
    before = [tensor.clone() for tensor in watched]
    update = Update(kind="adam", lr=0.1, check_finite=True)
    arguments = (problem.tables, states, problem.layout, problem.bags, problem.grad, update)
    with pytest.raises(
        NonFiniteGradientError, match="table c: .* feature h" if sequence else "table b: .* feature g"
    ) as caught:
        backward_update(*arguments, backend=backend)
    one_line(caught)
    assert same_bits(before, watched)


def test_unknown_and_missing_backends() -> None:
    problem = simple_problem([(4, 4)], 3)
    with pytest.raises(ConfigError, match="backend"):
        embedding_bag(problem.tables, problem.layout, problem.bags, backend="gpu")  # type: ignore[arg-type]
    from hotrow.kernels import available_backends

    if "triton" not in available_backends("embedding_bag"):
        with pytest.raises(BackendUnavailableError, match="triton"):
            embedding_bag(problem.tables, problem.layout, problem.bags, backend="triton")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_default_dtype_of_torch_does_not_matter(backend: BackendName) -> None:
    features = [FeatureSpec("f", 0), FeatureSpec("h", 0, "none")]
    problem = draw_problem([TableSpec("a", 4, 4)], features, 3, weighted=True)
    arguments = (problem.tables, problem.layout, problem.bags)
    expected = embedding_bag(*arguments, backend=backend)
    products = weights_gradient(*arguments, problem.grad, backend=backend)
    torch.set_default_dtype(torch.float64)
    try:
        result = embedding_bag(*arguments, backend=backend)
        assert torch.equal(result.pooled, expected.pooled)
        assert torch.equal(result.sequences, expected.sequences)
        assert torch.equal(weights_gradient(*arguments, problem.grad, backend=backend), products)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_parts_on_another_device(backend: BackendName) -> None:
    problem = draw_problem([TableSpec("a", 4, 4)], [FeatureSpec("f", 0)], 3, jagged=True, weighted=True)
    bags = problem.bags
    assert bags.offsets is not None
    assert bags.weights is not None
    strange = {
        "ids: on meta, the tables are on cpu": Bags(bags.ids.unsqueeze(1).to("meta"), None, 1),
        "offsets: on meta, expected on cpu as the ids": replace(bags, offsets=bags.offsets.to("meta")),
        "weights: on meta, expected on cpu as the ids": replace(bags, weights=bags.weights.to("meta")),
    }
    for message, given in strange.items():
        with pytest.raises(ValueError, match=message):
            embedding_bag(problem.tables, problem.layout, given, backend=backend)
