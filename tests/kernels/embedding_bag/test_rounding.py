"""fp16 and bf16 rows: stochastic rounding and rounding to nearest even."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.kernels.embedding_bag.checks import make_update, threads
from tests.kernels.embedding_bag.problems import BACKENDS, FAST, KINDS, Problem, draw_problem
from torch import Tensor

from hotrow.kernels import BackendName
from hotrow.kernels.embedding_bag import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    OptimizerKind,
    TableSpec,
    Update,
    backward_update,
)
from hotrow.kernels.row_formats import FLOAT_DTYPES, RowFormat

INF, NAN = float("inf"), float("nan")
SMALL: list[RowFormat] = ["fp16", "bf16"]
SPECIAL = [
    0.0,
    -0.0,
    1.0,
    1.0005,
    -1.0005,
    65503.0,
    65504.0,
    65519.0,
    65520.0,
    -70000.0,
    1e30,
    -3.4e38,
    3.4e38,
]
SPECIAL += [6.1e-5, 6.0e-5, -6.0e-5, 5.96e-8, 3e-8, 2.9e-8, -1e-8, 1e-40, 2.0**-14, 2.0**-24, 2.0**-25, 1e-45]
SPECIAL += [INF, -INF, NAN]


def write(
    values: Tensor, row_format: RowFormat, backend: BackendName, *, step: int = 1, seed: int = 0
) -> Tensor:
    """Return ``values`` (E, D) as rows that a step of SGD wrote: 0 - 1 * -values."""
    rows, width = values.shape
    table = torch.zeros(rows, width, dtype=FLOAT_DTYPES[row_format])
    layout = Layout((TableSpec("t", rows, width, row_format),), (FeatureSpec("f", 0),))
    bags = Bags(torch.arange(rows).unsqueeze(1), None, 1)
    update = Update(kind="sgd", lr=1.0, step=step, seed=seed, stochastic=step > 0)
    backward_update([table], [], layout, bags, Embedded(-values, torch.zeros(0)), update, backend=backend)
    return table


def bits(tensor: Tensor) -> Tensor:
    """Return bit patterns, all NaNs as one, and zeros without their sign."""
    tensor = torch.where(tensor == 0, torch.zeros_like(tensor), tensor)
    return torch.where(tensor.isnan(), torch.full_like(tensor, NAN).abs(), tensor).view(torch.int16)


def any_floats(rows: int, width: int) -> Tensor:
    """Return floats of every magnitude, and special ones."""
    rng = np.random.default_rng(7)
    patterns = rng.integers(0, 2**32, rows * width, dtype=np.uint32)
    values = torch.from_numpy(patterns.view(np.float32).copy())
    values[: rows * width // 2] = torch.from_numpy(
        (rng.normal(size=rows * width // 2) * 2.0 ** rng.integers(-30, 18, rows * width // 2)).astype(
            np.float32
        )
    )
    values[: len(SPECIAL)] = torch.tensor(SPECIAL)
    return values.view(rows, width)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("row_format", SMALL)
@pytest.mark.parametrize("width", [1, 16, 37])
def test_stochastic_bits_are_the_references(backend: BackendName, row_format: RowFormat, width: int) -> None:
    values = any_floats(3000, width)
    for step, seed in ((1, 0), (2, 0), (1, 12345), (10**9, 2**63)):
        expected = write(values, row_format, "reference", step=step, seed=seed)
        assert torch.equal(bits(write(values, row_format, backend, step=step, seed=seed)), bits(expected))


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("row_format", SMALL)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("rowwise_adagrad", "lamb")])
def test_whole_steps_have_the_references_bits(
    backend: BackendName, row_format: RowFormat, kind: OptimizerKind
) -> None:
    """Without sums over a row or over lookups, whose order is each backend's own."""
    results = []
    for chosen in (backend, "reference"):
        problem = one_lookup_per_row(row_format)
        states = problem.states(kind)
        for step in range(1, 6):
            update = make_update(kind, step=step, stochastic=True, seed=3, weight_decay=0.01)
            arguments = (problem.tables, states, problem.layout, problem.bags, problem.grad, update)
            backward_update(*arguments, backend=chosen)
        results.append([*problem.tables, *[state for of_table in states for state in of_table]])
    for mine, theirs in zip(*results, strict=True):
        assert torch.equal(mine, theirs)


def one_lookup_per_row(row_format: RowFormat) -> Problem:
    tables = [TableSpec("a", 40, 19, row_format), TableSpec("b", 40, 32, row_format)]
    problem = draw_problem(tables, [FeatureSpec("a", 0), FeatureSpec("b", 1)], 40)
    problem.bags.ids[:, 0] = torch.arange(40)
    problem.bags.ids[:, 1] = torch.arange(39, -1, -1)
    return problem


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row_format", SMALL)
def test_to_nearest_is_torchs(backend: BackendName, row_format: RowFormat) -> None:
    values = any_floats(2000, 21)
    written = write(values, row_format, backend, step=0)
    assert torch.equal(bits(written), bits(values.to(FLOAT_DTYPES[row_format])))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row_format", SMALL)
def test_mean_of_many_roundings_is_the_value(backend: BackendName, row_format: RowFormat) -> None:
    """10**5 roundings of each value, by row, column and step; fp16 subnormals among them."""
    values = torch.tensor([1.0003, -0.1, 3.14159, 1e-3, 5e-6, -3.3e-7, 2e-8])
    count, means = 250, torch.zeros(7, dtype=torch.float64)
    for step in range(1, 21):
        written = write(values.repeat(count, 20), row_format, backend, step=step)
        means += written.double().view(count * 20, 7).mean(dim=0) / 20
    spacing = ulp(values, row_format)
    assert bool(((means - values.double()).abs() < 4 * 0.5 * spacing / (count * 400) ** 0.5).all())


def ulp(values: Tensor, row_format: RowFormat) -> Tensor:
    exponent = torch.floor(torch.log2(values.abs().double()))
    return 2.0 ** (exponent - 7) if row_format == "bf16" else 2.0 ** (exponent.clamp(min=-14) - 10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row_format", SMALL)
def test_roundings_differ_by_row_column_table_step_and_seed(
    backend: BackendName, row_format: RowFormat
) -> None:
    values = torch.full((64, 64), 1.003)
    first = write(values, row_format, backend, step=5, seed=1)
    assert torch.equal(first, write(values, row_format, backend, step=5, seed=1))
    assert not torch.equal(first, write(values, row_format, backend, step=6, seed=1))
    assert not torch.equal(first, write(values, row_format, backend, step=5, seed=2))
    assert len(np.unique(first.float(), axis=0)) == len(np.unique(first.float(), axis=1).T) == 64
    layout = Layout(
        tuple(TableSpec(name, 64, 64, row_format) for name in "ab"),
        (FeatureSpec("a", 0), FeatureSpec("b", 1)),
    )
    pair = [torch.zeros(64, 64, dtype=FLOAT_DTYPES[row_format]) for _ in range(2)]
    bags = Bags(torch.arange(64).unsqueeze(1).repeat(1, 2), None, 2)
    grad = Embedded(-values.repeat(1, 2), torch.zeros(0))
    backward_update(pair, [], layout, bags, grad, Update(kind="sgd", lr=1.0), backend=backend)
    assert not torch.equal(*pair)


@pytest.mark.parametrize("backend", BACKENDS)
def test_fp16_saturates_when_rounded_stochastically(backend: BackendName) -> None:
    written = write(torch.tensor([[65504.0, 65505.0, 1e6, -1e6, INF, -INF, NAN]]), "fp16", backend)
    assert written[0, :6].tolist() == [65504.0, 65504.0, 65504.0, -65504.0, INF, -INF]
    assert bool(written[0, 6].isnan())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row_format", SMALL)
def test_values_that_fit_stay(backend: BackendName, row_format: RowFormat) -> None:
    exact = torch.from_numpy(np.arange(2**16, dtype=np.uint16).view(np.int16)).view(FLOAT_DTYPES[row_format])
    exact = exact[exact.isfinite()].unsqueeze(1)
    written = write(exact.float(), row_format, backend)
    assert torch.equal(bits(written), bits(exact))


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("row_format", SMALL)
def test_roundings_do_not_depend_on_threads(backend: BackendName, row_format: RowFormat) -> None:
    results = []
    for count in (1, 2, 3):
        with threads(count):
            results.append(bits(write(any_floats(30_000, 17), row_format, backend)))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
