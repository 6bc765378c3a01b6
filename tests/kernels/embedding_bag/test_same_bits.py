"""Results have the same bits whatever the threads, the instruction set and the order of tables."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tests.kernels.embedding_bag.checks import make_update, needs_cpu, same_bits, threads
from tests.kernels.embedding_bag.problems import BACKENDS, FAST, KINDS, Problem, draw_problem
from torch import Tensor

from hotrow.kernels import BackendName
from hotrow.kernels.embedding_bag import (
    FeatureSpec,
    OptimizerKind,
    Pooling,
    TableSpec,
    backward_update,
    embedding_bag,
    weights_gradient,
)
from hotrow.kernels.row_formats import RowFormat


def results_of(
    problem: Problem, kind: OptimizerKind, backend: BackendName, *, clip_norm: float | None = 5.0
) -> list[Tensor]:
    """Return all results of a lookup, its weights' gradient and a step, without decay if not clipped."""
    tables, layout, bags, grad = problem.tables, problem.layout, problem.bags, problem.grad
    result = embedding_bag(tables, layout, bags, backend=backend)
    products = [] if bags.weights is None else [weights_gradient(tables, layout, bags, grad, backend=backend)]
    states = problem.states(kind)
    decay = 0.0 if clip_norm is None else 0.1
    update = make_update(kind, weight_decay=decay, clip_norm=clip_norm, stochastic=True)
    backward_update(tables, states, layout, bags, grad, update, backend=backend)
    of_states = [state for of_table in states for state in of_table]
    return [result.pooled, result.sequences, *products, *tables, *of_states]


def large_problem(*, jagged: bool, pooling: Pooling = "sum", padding: int | None = None) -> Problem:
    """Draw a batch that is worth several threads, with rows hot enough to be summed apart."""
    tables = [TableSpec("a", 3000, 16), TableSpec("b", 60, 24, "fp16"), TableSpec("c", 900, 7, "bf16")]
    features = [FeatureSpec(t.name, i, pooling, padding) for i, t in enumerate(tables)]
    features.append(FeatureSpec("again", 0, "mean"))
    return draw_problem(tables, features, 20_000, jagged=jagged, weighted=jagged, most=2, skew=7.0, seed=3)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("jagged", [False, True])
def test_whatever_the_threads(backend: BackendName, kind: OptimizerKind, jagged: bool) -> None:
    pooling: Pooling = "none" if kind in ("adam", "momentum") else "mean" if kind == "lamb" else "sum"
    results = []
    for count in (1, 2, 3):
        with threads(count):
            padding = 0 if kind == "adagrad" else None
            problem = large_problem(jagged=jagged, pooling=pooling, padding=padding)
            results.append(results_of(problem, kind, backend))
    assert same_bits(results[0], results[1])
    assert same_bits(results[0], results[2])


@pytest.mark.parametrize("backend", FAST)
def test_twice_the_same(backend: BackendName) -> None:
    first, second = (results_of(large_problem(jagged=True), "adam", backend) for _ in range(2))
    assert same_bits(first, second)


@needs_cpu
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("row_format", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_that_never_acts(kind: OptimizerKind, row_format: RowFormat, weighted: bool) -> None:
    """Steps without decay and clipping, and of the usual widths, are made by loops of their own."""
    widths = (7, 16, 32, 48, 64, 128)
    tables = [TableSpec(f"t{width}", 700, width, row_format) for width in widths]
    features = [FeatureSpec(table.name, index) for index, table in enumerate(tables)]
    stepped = []
    for clip_norm in (None, 1e30):
        problem = draw_problem(tables, features, 3000, weighted=weighted, skew=6.0)
        states = problem.states(kind)
        for number in (1, 2):
            update = make_update(kind, clip_norm=clip_norm, stochastic=True, step=number)
            arguments = (problem.tables, states, problem.layout, problem.bags, problem.grad, update)
            backward_update(*arguments, backend="cpu")
        stepped.append([*problem.tables, *(state for of_table in states for state in of_table)])
    assert same_bits(*stepped)
    lookups = torch.bincount(problem.bags.ids[:, 0])
    assert int(lookups.max()) > 1024  # more than are summed at once
    assert int((lookups == 1).sum()) > 64


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_order_of_tables(backend: BackendName, kind: OptimizerKind) -> None:
    """Each table and its states come out as if it were alone; fp32, since rounding draws by table."""
    shapes = [(50, 16), (9, 1), (300, 40), (70, 77), (1, 3)]
    features = [(0, "sum"), (1, "mean"), (2, "none"), (3, "sum"), (4, "sum"), (2, "mean")]

    def stepped(order: list[int]) -> list[Tensor]:
        together = draw_tables(shapes, order, features)
        states = together.states(kind)
        update = make_update(kind, weight_decay=0.1)
        arguments = (together.tables, states, together.layout, together.bags, together.grad, update)
        backward_update(*arguments, backend=backend)
        back = sorted(range(5), key=order.__getitem__)
        return [together.tables[i] for i in back] + [state for i in back for state in states[i]]

    expected = stepped([0, 1, 2, 3, 4])
    for order in ([4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        assert same_bits(stepped(order), expected)


def draw_tables(shapes: list[tuple[int, int]], order: list[int], features: list[tuple[int, str]]) -> Problem:
    """Return the same problem with its tables in another order."""
    specs = [TableSpec(f"t{index}", *shape) for index, shape in enumerate(shapes)]
    plain = [FeatureSpec(f"f{i}", table, pooling) for i, (table, pooling) in enumerate(features)]  # type: ignore[arg-type]
    problem = draw_problem(specs, plain, 60, jagged=True, weighted=True)
    moved = [FeatureSpec(f.name, order.index(f.table), f.pooling) for f in plain]
    layout = type(problem.layout)(tuple(specs[index] for index in order), tuple(moved))
    tables, values = [problem.tables[i] for i in order], [problem.values[i] for i in order]
    return Problem(layout, tables, values, problem.bags, problem.grad)


@needs_cpu
def test_whatever_the_instruction_set() -> None:
    """Each in a process of its own, since it is chosen once, and with what malloc returns poisoned."""
    with ThreadPoolExecutor() as pool:
        digests = dict(pool.map(digest, ("baseline", "avx2", "avx512"), ("0", "165", "90")))
    if digests.keys() == {"baseline"}:
        pytest.skip("this processor runs the baseline variant only")
    assert len(set(digests.values())) == 1


def digest(instruction_set: str, poison: str) -> tuple[str, str]:
    root = Path(__file__).parents[3]
    environment = {"HOTROW_ISA": instruction_set, "MALLOC_PERTURB_": poison, "PYTHONPATH": str(root)}
    run = subprocess.run(
        [sys.executable, "-m", "tests.kernels.embedding_bag.test_same_bits"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    variant, found = run.stdout.split()
    return variant, found


def print_digest() -> None:
    """Print the instruction set, and a digest of results for many widths, formats and optimizers."""
    import hashlib

    from tests.kernels.embedding_bag.problems import FLOATS, FORMATS

    from hotrow import _kernels

    found = hashlib.sha256()

    def add(tensors: list[Tensor]) -> None:
        for tensor in tensors:
            tensor = torch.where(tensor.isnan(), torch.ones_like(tensor), tensor)
            found.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())

    widths = (1, 7, 16, 32, 40, 64, 77, 128, 300)
    for jagged in (False, True):
        specs = [TableSpec(f"{w}{name}", 50, w, name) for w in widths for name in FORMATS]
        features = [FeatureSpec(spec.name, i, ("sum", "mean", "none")[i % 3]) for i, spec in enumerate(specs)]
        problem = draw_problem(specs, features, 20, jagged=jagged, weighted=True)
        tables, layout, bags = problem.tables, problem.layout, problem.bags
        result = embedding_bag(tables, layout, bags, backend="cpu")
        add(
            [
                result.pooled,
                result.sequences,
                weights_gradient(tables, layout, bags, problem.grad, backend="cpu"),
            ]
        )
    for kind in KINDS:
        specs = [TableSpec(f"{w}{name}", 50, w, name) for w in widths for name in FLOATS]
        features = [FeatureSpec(spec.name, i) for i, spec in enumerate(specs)]
        for jagged in (False, True):
            for clip_norm in (5.0, None):
                problem = draw_problem(specs, features, 90, jagged=jagged, weighted=jagged)
                add(results_of(problem, kind, "cpu", clip_norm=clip_norm))
    add(results_of(large_problem(jagged=True, padding=0), "adam", "cpu"))
    print(_kernels.instruction_set(), found.hexdigest())


if __name__ == "__main__":
    print_digest()
