"""What the Triton backend refuses, its rounding, and tables beyond 2**32 rows."""

from __future__ import annotations

import mmap
from typing import Any

import pytest
import torch

from hotrow.errors import BackendUnavailableError
from hotrow.kernels.embedding_bag import reference
from hotrow.kernels.embedding_bag._types import (
    BadIdError,
    BadOffsetsError,
    Bags,
    Embedded,
    FeatureSpec,
    Implementation,
    Layout,
    TableSpec,
    Update,
)

MAP_NORESERVE = 0x4000  # Linux; in the mmap module from Python 3.12 on
LAYOUT = Layout(
    (TableSpec("a", 5, 7), TableSpec("b", 9, 4)),
    (FeatureSpec("f", 1), FeatureSpec("g", 0, padding=-1), FeatureSpec("h", 1, "none")),
)
SGD = Update(kind="sgd", lr=0.1)


def check_refusal(backend: Implementation, problem: Any, device: str) -> None:
    """Every function raises what the reference raises, and leaves the tables as they were."""
    with pytest.raises((BadIdError, BadOffsetsError)) as expected:
        reference.forward(problem.tables, problem.layout, problem.bags)
    there = problem.copy(device)
    calls = (
        lambda: backend.forward(there.tables, there.layout, there.bags),
        lambda: backend.weights_gradient(there.tables, there.layout, there.bags, there.grad),
        lambda: backend.backward_update(there.tables, [], there.layout, there.bags, there.grad, SGD),
    )
    for call in calls:
        with pytest.raises(type(expected.value)) as actual:
            call()
        assert actual.value.args == expected.value.args
    for table, before in zip(there.tables, problem.tables, strict=True):
        assert torch.equal(table.cpu(), before)


@pytest.mark.parametrize("bad", [-2, 5, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("jagged", [False, True])
def test_first_id_outside_its_table(
    bad: int, jagged: bool, device: str, triton_backend: Implementation, make_problem: Any
) -> None:
    problem = make_problem(LAYOUT, 8, jagged=jagged, weighted=True, dtype=torch.int32)
    if jagged:
        first, last = problem.bags.bounds(1)
        problem.bags.ids[first + 2] = problem.bags.ids[first + 4] = problem.bags.ids[last + 1] = bad
    else:
        problem.bags.ids[3:5, 1] = problem.bags.ids[1, 2] = bad
    check_refusal(triton_backend, problem, device)


@pytest.mark.parametrize(
    "change", [{0: 1}, {5: 0}, {6: 10**12}, {24: -1}, {3: 9, 4: 8}, {1: -(10**12)}, {24: 10**9}]
)
def test_offsets_that_leave_the_ids(
    change: dict[int, int], device: str, triton_backend: Implementation, make_problem: Any
) -> None:
    problem = make_problem(LAYOUT, 8, jagged=True, weighted=True)
    for place, value in change.items():
        problem.bags.offsets[place] = value
    check_refusal(triton_backend, problem, device)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_stochastic_rounding_has_the_bits_of_the_reference(
    dtype: torch.dtype, device: str, triton_backend: Implementation
) -> None:
    rows, width = 64, 20
    row_format: Any = "fp16" if dtype == torch.float16 else "bf16"
    tables = (TableSpec("a", rows, width, row_format), TableSpec("b", rows, width, row_format))
    layout = Layout(tables, (FeatureSpec("f", 1),))
    random = torch.Generator().manual_seed(4)
    grad_BD = torch.randn(rows, width, generator=random)
    grad_BD *= 10.0 ** torch.randint(-9, 6, grad_BD.shape, generator=random)
    grad_BD[0, :9] = torch.tensor(
        [float("nan"), float("inf"), -float("inf"), 65504, -65520, 7e4, 0, -0.0, 6e-8]
    )
    bags, grad = Bags(torch.arange(rows).unsqueeze(1), None, 1), Embedded(grad_BD, torch.empty(0))
    update = Update(kind="sgd", lr=1.0, step=7, seed=2**40 + 3)  # lr 1: row - g is rounded once
    theirs = [torch.zeros(rows, width, dtype=dtype) for _ in tables]
    reference.backward_update(theirs, [], layout, bags, grad, update)
    mine = [torch.zeros(rows, width, dtype=dtype, device=device) for _ in tables]
    bags, grad = Bags(bags.ids.to(device), None, 1), Embedded(grad_BD.to(device), grad.sequences.to(device))
    triton_backend.backward_update(mine, [], layout, bags, grad, update)
    torch.testing.assert_close(mine[1].cpu(), theirs[1], rtol=0, atol=0, equal_nan=True)
    assert not mine[0].any()


def test_rows_beyond_32_bits(device: str, triton_backend: Implementation) -> None:
    if device != "cpu":
        pytest.skip("maps 8 GiB that are never touched, which a GPU's memory does not do")
    rows = 2**32 - 1
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    layout = Layout((TableSpec("t", rows, 1, "bf16"),), (FeatureSpec("f", 0),))
    ids = torch.cat([torch.tensor([3, 2**31]), torch.arange(rows - 30, rows)]).unsqueeze(1)
    grad = Embedded(torch.randn(ids.shape, generator=torch.Generator().manual_seed(1)), torch.empty(0))
    results = []
    for implementation in (triton_backend, reference):
        table = torch.frombuffer(mmap.mmap(-1, 2 * rows, flags=flags), dtype=torch.bfloat16).view(rows, 1)
        implementation.backward_update(
            [table], [], layout, Bags(ids, None, 1), grad, Update(kind="sgd", lr=1.0)
        )
        results.append(implementation.forward([table], layout, Bags(ids, None, 1)).pooled)
    assert torch.equal(results[0], results[1])
    assert bool((results[0] != 0).all())


def test_tensors_that_kernels_cannot_reach(
    device: str, triton_backend: Implementation, make_problem: Any
) -> None:
    there = make_problem(LAYOUT, 8).copy(device)
    there.tables[1] = there.tables[1].to("meta")
    with pytest.raises(ValueError, match="a table or state is on meta"):
        triton_backend.forward(there.tables, LAYOUT, there.bags)
    elsewhere = there.copy("meta" if device == "cpu" else "cpu")
    with pytest.raises(BackendUnavailableError, match="kernels run on"):
        triton_backend.forward(elsewhere.tables, LAYOUT, elsewhere.bags)
