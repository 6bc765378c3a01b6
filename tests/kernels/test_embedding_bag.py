"""The lookup and its fused backward: every backend against loops in float64."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from hotrow.kernels import BackendName, available_backends, record_paths
from hotrow.kernels.embedding_bag import Bags, OptimizerKind, Update, backward_update, embedding_bag

BACKENDS = available_backends("embedding_bag")
KINDS: tuple[OptimizerKind, ...] = ("sgd", "rowwise_adagrad")
EPS = 1e-8
MAP_NORESERVE = 0x4000  # Linux; in the mmap module from Python 3.12 on
needs_cpu = pytest.mark.skipif("cpu" not in BACKENDS, reason="the compiled kernels are not installed")
LR = 0.05


@dataclass
class Problem:
    """One batch of bags over some tables, and the gradient of its pooled rows."""

    weights: list[Tensor]
    states: list[Tensor]
    bags: Bags
    grad: Tensor

    @property
    def names(self) -> list[str]:
        return [f"t{table}" for table in range(len(self.weights))]

    def lists(self, table: int) -> list[list[int]]:
        """Return the ids of each bag of a table."""
        ids, offsets, batch = self.bags.ids.tolist(), self.bags.offsets, self.bags.batch_size
        if offsets is None:
            return [[row[table]] for row in ids]
        bounds = offsets[table * batch : (table + 1) * batch + 1].tolist()
        return [ids[first:last] for first, last in pairwise(bounds)]


def make_problem(
    shapes: list[tuple[int, int]],
    batch: int,
    *,
    jagged: bool,
    seed: int,
    dtype: torch.dtype = torch.int32,
    most: int = 6,
    skew: float = 0.0,
) -> Problem:
    """Draw tables of (E, D), ids (Zipf-skewed when asked) with repetition, and bags of 0..most ids."""
    rng = np.random.default_rng(seed)

    def draw(rows: int, count: int) -> NDArray[np.int64]:
        weight = 1.0 / np.arange(1, rows + 1) ** skew
        return rng.choice(rows, size=count, p=weight / weight.sum())

    if jagged:
        lengths = rng.integers(0, most + 1, size=len(shapes) * batch)
        per_table = lengths.reshape(len(shapes), batch).sum(axis=1)
        drawn = [draw(rows, count) for (rows, _), count in zip(shapes, per_table, strict=True)]
        ids = torch.from_numpy(np.concatenate(drawn)).to(dtype)
        offsets: Tensor | None = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]))
    else:
        ids = torch.from_numpy(np.stack([draw(rows, batch) for rows, _ in shapes], axis=1)).to(dtype)
        offsets = None
    weights = [torch.from_numpy(rng.normal(size=shape).astype(np.float32)) for shape in shapes]
    states = [torch.from_numpy(rng.uniform(0.5, 2.0, size=rows).astype(np.float32)) for rows, _ in shapes]
    grad = rng.normal(size=(batch, sum(width for _, width in shapes))).astype(np.float32)
    return Problem(weights, states, Bags(ids, offsets, len(shapes)), torch.from_numpy(grad))


def expected_forward(problem: Problem) -> NDArray[np.float64]:
    columns = []
    for table, weight in enumerate(problem.weights):
        rows = weight.double().numpy()
        lists = problem.lists(table)
        pooled = [rows[ids].sum(axis=0) if ids else np.zeros(rows.shape[1]) for ids in lists]
        columns.append(np.array(pooled).reshape(len(lists), rows.shape[1]))
    return np.concatenate(columns, axis=1)


def expected_update(
    problem: Problem, kind: OptimizerKind
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    weights, states, column = [], [], 0
    for table, (weight, state) in enumerate(zip(problem.weights, problem.states, strict=True)):
        rows, sums = weight.double().numpy().copy(), state.double().numpy().copy()
        width = rows.shape[1]
        grad = problem.grad[:, column : column + width].double().numpy()
        column += width
        total: dict[int, NDArray[np.float64]] = {}
        for bag, ids in enumerate(problem.lists(table)):
            for row in ids:
                total[row] = total.get(row, np.zeros(width)) + grad[bag]
        for row, g in total.items():
            if kind == "sgd":
                rows[row] -= LR * g
            else:
                sums[row] += np.mean(g**2)
                rows[row] -= LR * g / (np.sqrt(sums[row]) + EPS)
        weights.append(rows)
        states.append(sums)
    return weights, states


def update_in_place(problem: Problem, kind: OptimizerKind, backend: BackendName) -> None:
    states = problem.states if kind == "rowwise_adagrad" else []
    backward_update(
        problem.weights,
        states,
        problem.bags,
        problem.grad,
        Update(kind, LR, EPS),
        names=problem.names,
        backend=backend,
    )


def assert_close(actual: Tensor, expected: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(actual.double().numpy(), expected, rtol=2e-5, atol=2e-5)


def check(problem: Problem, kind: OptimizerKind, backend: BackendName) -> None:
    with record_paths() as paths:
        out = embedding_bag(problem.weights, problem.bags, names=problem.names, backend=backend)
        assert_close(out, expected_forward(problem))
        weights, states = expected_update(problem, kind)
        update_in_place(problem, kind, backend)
    assert paths == [("embedding_bag_forward", backend), ("embedding_bag_backward", backend)]
    for table in range(len(problem.weights)):
        assert_close(problem.weights[table], weights[table])
        assert_close(problem.states[table], states[table])


CASES = {
    "one of everything": ([(1, 1)], 1),
    "odd": ([(63, 7), (17, 33), (5, 1)], 29),
    "criteo-like": ([(2000, 16), (3, 16), (70, 16), (1, 16)], 257),
    "wide": ([(50, 128), (40, 129), (30, 200)], 65),
    "mixed widths": ([(1000, 64), (9, 4), (100, 48), (12, 24)], 130),
    "empty batch": ([(8, 16), (3, 5)], 0),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("jagged", [False, True], ids=["one id per bag", "jagged"])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_matches_float64(
    backend: BackendName, kind: OptimizerKind, jagged: bool, dtype: torch.dtype, case: str
) -> None:
    shapes, batch = CASES[case]
    check(make_problem(shapes, batch, jagged=jagged, seed=1, dtype=dtype, skew=0.8), kind, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 70)), min_size=1, max_size=4),
    batch=st.integers(0, 40),
    jagged=st.booleans(),
    kind=st.sampled_from(KINDS),
    skew=st.sampled_from([0.0, 1.05, 3.0]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_matches_float64_for_any_shapes(
    backend: BackendName,
    shapes: list[tuple[int, int]],
    batch: int,
    jagged: bool,
    kind: OptimizerKind,
    skew: float,
    seed: int,
) -> None:
    check(make_problem(shapes, batch, jagged=jagged, seed=seed, skew=skew), kind, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_matches_float64_when_split_into_parts(backend: BackendName, kind: OptimizerKind) -> None:
    problem = make_problem([(60_000, 4), (40, 3)], 30_000, jagged=True, seed=2, most=2, skew=1.05)
    out = embedding_bag(problem.weights, problem.bags, names=problem.names, backend=backend)
    assert_close(out, expected_forward(problem))
    weights, states = expected_update(problem, kind)
    update_in_place(problem, kind, backend)
    for table in range(2):
        scale = np.abs(weights[table]).max()
        np.testing.assert_allclose(problem.weights[table], weights[table], rtol=1e-4, atol=2e-5 * scale)
        np.testing.assert_allclose(problem.states[table], states[table], rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("jagged", [False, True])
def test_same_bits_whatever_the_number_of_threads(
    backend: BackendName, kind: OptimizerKind, jagged: bool
) -> None:
    results = []
    threads_before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            problem = make_problem(
                [(5000, 16), (50, 16), (900, 24)], 20_000, jagged=jagged, seed=3, most=2, skew=1.2
            )
            out = embedding_bag(problem.weights, problem.bags, names=problem.names, backend=backend)
            update_in_place(problem, kind, backend)
            results.append([out, *problem.weights, *problem.states])
    finally:
        torch.set_num_threads(threads_before)
    for other in results[1:]:
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(results[0], other, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_duplicates_are_summed_before_the_one_update(backend: BackendName) -> None:
    weight, state = torch.zeros(4, 2), torch.zeros(4)
    bags = Bags(torch.tensor([[1], [1], [1]]), None, 1)
    grad = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    backward_update(
        [weight], [state], bags, grad, Update("rowwise_adagrad", 1.0, 0.0), names=["t"], backend=backend
    )
    assert state.tolist() == [0.0, 4.5, 0.0, 0.0]
    assert weight[1].tolist() == pytest.approx([-3.0 / 4.5**0.5, 0.0])
    assert weight[[0, 2, 3]].abs().sum() == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad_id", [-1, 10, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("jagged", [False, True])
def test_bad_id_is_named_and_nothing_is_written(backend: BackendName, bad_id: int, jagged: bool) -> None:
    problem = make_problem([(20, 3), (10, 3)], 4, jagged=False, seed=4)
    ids = problem.bags.ids
    ids[2, 1] = bad_id
    if jagged:
        problem.bags = Bags(ids.T.reshape(-1), torch.arange(9), 2)
    before = [tensor.clone() for tensor in problem.weights + problem.states]
    message = f"table t1: id {bad_id} is outside its 10 rows"
    with pytest.raises(IndexError, match=message):
        embedding_bag(problem.weights, problem.bags, names=problem.names, backend=backend)
    if backend == "cpu":
        with pytest.raises(IndexError, match=message):
            update_in_place(problem, "rowwise_adagrad", backend)
        after = problem.weights + problem.states
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(before, after, strict=True))


@needs_cpu
def test_tables_beyond_two_to_the_32_floats_do_not_wrap() -> None:
    rows, width = 2**25 + 5, 160  # 20 GiB of addresses, of which a few pages are touched
    weight = _untouched(rows, width)
    last = rows - 1
    bags = Bags(torch.tensor([[last]]), None, 1)
    backward_update(
        [weight], [], bags, torch.ones(1, width), Update("sgd", 1.0, 0.0), names=["t"], backend="cpu"
    )
    assert weight[last].tolist() == [-1.0] * width
    for bits in (30, 31, 32):
        wrapped = last * width % 2**bits // width
        assert weight[wrapped : wrapped + 2].abs().sum() == 0
    assert embedding_bag([weight], bags, names=["t"], backend="cpu").tolist() == [[-1.0] * width]


def _untouched(rows: int, width: int) -> Tensor:
    """Return zeros that take memory only where they are written."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    memory = mmap.mmap(-1, rows * width * 4, flags=flags)
    return torch.frombuffer(memory, dtype=torch.float32).view(rows, width)


@pytest.mark.parametrize(
    ("ids", "offsets", "message"),
    [
        (torch.zeros(2, 1, dtype=torch.int32), None, r"expected \(B, 2\)"),
        (torch.zeros(2, 2), None, "expected int32 or int64"),
        (torch.zeros(3, dtype=torch.int32), torch.tensor([0, 1, 2]), "to the number of ids, 3"),
        (torch.zeros(3, dtype=torch.int32), torch.tensor([0, 1, 2, 3]), r"T \* B \+ 1"),
        (torch.zeros(3, dtype=torch.int32), torch.tensor([0, 2, 1, 2, 3]), "never to decrease"),
        (torch.zeros(3, dtype=torch.int32), torch.tensor([0, 1, 3], dtype=torch.int32), "int64"),
    ],
)
def test_misshapen_bags_are_refused(ids: Tensor, offsets: Tensor | None, message: str) -> None:
    weights = [torch.zeros(4, 2), torch.zeros(4, 2)]
    with pytest.raises(ValueError, match=message):
        embedding_bag(weights, Bags(ids, offsets, 2), names=["a", "b"])


@needs_cpu
def test_cpu_refuses_other_dtypes() -> None:
    bags = Bags(torch.zeros(1, 1, dtype=torch.int32), None, 1)
    with pytest.raises(ValueError, match="takes float32"):
        embedding_bag([torch.zeros(2, 2, dtype=torch.float64)], bags, names=["t"], backend="cpu")


@needs_cpu
def test_same_bits_with_every_instruction_set(tmp_path: Path) -> None:
    """Each variant in a process of its own, since it is chosen once; those the processor lacks fall back."""
    script = tmp_path / "digest.py"
    script.write_text(DIGEST_SCRIPT, encoding="utf-8")
    digests = dict(_digest(script, variant) for variant in ("baseline", "avx2", "avx512"))
    if digests.keys() == {"baseline"}:
        pytest.skip("this processor runs the baseline variant only")
    assert len(set(digests.values())) == 1


def _digest(script: Path, instruction_set: str) -> tuple[str, str]:
    run = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "HOTROW_ISA": instruction_set},
        capture_output=True,
        text=True,
        check=True,
    )
    variant, digest = run.stdout.split()
    return variant, digest


DIGEST_SCRIPT = """
import hashlib
import torch
from hotrow.kernels.embedding_bag import Bags, Update, backward_update, embedding_bag
from hotrow import _kernels

torch.manual_seed(0)
digest = hashlib.sha256()
for width in (1, 7, 16, 32, 40, 64, 77, 128, 300):
    weight, state = torch.randn(50, width), torch.rand(50)
    bags = Bags(torch.randint(0, 50, (400,)), torch.arange(0, 401, 4), 1)
    out = embedding_bag([weight], bags, names=["t"], backend="cpu")
    update = Update("rowwise_adagrad", 0.1, 1e-8)
    backward_update([weight], [state], bags, torch.randn_like(out), update, names=["t"], backend="cpu")
    for tensor in (out, weight, state):
        digest.update(tensor.numpy().tobytes())
print(_kernels.instruction_set(), digest.hexdigest())
"""
