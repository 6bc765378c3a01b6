from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hotrow.kernels.dispatch import record_paths
from hotrow.kernels.fp32_layers import OPERATOR, Fp32Layer, Fp32Layers

SIZES = ((3, 5), (1, 17, 33, 1), (13, 512, 256, 64, 16), (367, 65, 130), (1030, 100), (5, 4, 3, 2, 1))
ROWS = 200
ISAS = ("avx512", "avx2", "baseline")


def layers_of(sizes: tuple[int, ...]) -> list[Fp32Layer]:
    generator = torch.Generator().manual_seed(sum(sizes))
    return [
        Fp32Layer(
            weights=torch.randn(outputs, inputs, generator=generator) / inputs**0.5,
            bias=torch.randn(outputs, generator=generator),
            relu=number % 2 == 0,
        )
        for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
    ]


def inputs_of(sizes: tuple[int, ...]) -> Tensor:
    return torch.randn(ROWS, sizes[0], generator=torch.Generator().manual_seed(1)) * 3


def require_same_bits() -> dict[tuple[int, ...], Tensor]:
    """Compute rows among others, on several threads; return all."""
    found: dict[tuple[int, ...], Tensor] = {}
    for sizes in SIZES:
        run, x = Fp32Layers(layers_of(sizes), backend="cpu"), inputs_of(sizes)
        torch.set_num_threads(1)
        found[sizes] = run(x)
        for threads in (1, 3):
            torch.set_num_threads(threads)
            assert torch.equal(run(x), found[sizes]), (sizes, threads)
        torch.set_num_threads(1)
        for size in (*range(1, 15), 47, 48, 49, 100):
            assert torch.equal(run(x[10 : 10 + size]), found[sizes][10 : 10 + size]), (sizes, size)
    return found


needs_cpu = pytest.mark.skipif("cpu" not in OPERATOR.backends(), reason="the compiled kernels are not there")


@needs_cpu
@pytest.mark.usefixtures("one_thread")
def test_a_row_has_the_same_bits_among_any_others_with_any_instructions(tmp_path: Path) -> None:
    here = require_same_bits()
    for isa in ISAS:
        path = tmp_path / isa
        code = f"from {__name__} import *\ntorch.save(require_same_bits(), {str(path)!r})"
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "HOTROW_ISA": isa, "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr[-2000:]
        there = torch.load(path)
        assert all(torch.equal(there[sizes], here[sizes]) for sizes in SIZES), isa


@needs_cpu
def test_sums_are_built_up_in_order_by_fused_multiply_adds() -> None:
    (layer,) = layers_of((5, 1))
    x = inputs_of((5,))
    expected = []
    for row in x.double().tolist():
        total = np.float32(layer.bias[0])
        for number, weight in zip(row, layer.weights[0].double().tolist(), strict=True):
            # A product of two float32 is exact in float64, and in all but rare cases so is its sum.
            total = np.float32(float(total) + number * weight)
        expected.append(max(float(total), 0.0))
    got = Fp32Layers([layer], backend="cpu")(x)[:, 0]
    assert torch.equal(got, torch.tensor(expected))


@pytest.mark.parametrize("backend", OPERATOR.backends())
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_against_float64(backend: Any, sizes: tuple[int, ...]) -> None:
    layers, x = layers_of(sizes), inputs_of(sizes)
    expected = x.double()
    for layer in layers:
        expected = expected @ layer.weights.double().t() + layer.bias.double()
        expected = expected.relu() if layer.relu else expected
    with record_paths() as paths:
        got = Fp32Layers(layers, backend=backend)(x)
    assert paths == [("fp32_layers", backend)]
    torch.testing.assert_close(got.double(), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("backend", OPERATOR.backends())
@pytest.mark.parametrize("sizes", [(5, 3), (400, 48), (13, 7, 33)], ids=str)
def test_adding_to_sums(backend: Any, sizes: tuple[int, ...]) -> None:
    *before, last = layers_of(sizes)
    x, sums = inputs_of(sizes), torch.randn(ROWS, sizes[-1])
    run = Fp32Layers([*before, last], backend=backend)
    expected = Fp32Layers(before, backend=backend)(x) if before else x
    expected = (expected.double() @ last.weights.double().t() + sums.double()).float()
    expected = expected.relu() if last.relu else expected
    given = sums.clone()
    assert run.add_to(given, x) is given
    torch.testing.assert_close(given, expected, rtol=2e-5, atol=2e-5)
    part = sums[7:20].clone()
    assert torch.equal(run.add_to(part, x[7:20]), given[7:20])


@pytest.mark.parametrize("sums", [torch.ones(2, 4), torch.ones(2, 5).double(), torch.ones(5, 2).t()])
def test_other_sums_are_refused(sums: Tensor) -> None:
    with pytest.raises(ValueError, match=r"sums: .* expected \(2, 5\) of torch.float32"):
        Fp32Layers(layers_of((3, 5))).add_to(sums, torch.ones(2, 3))


@pytest.mark.parametrize("backend", OPERATOR.backends())
def test_nan_stays(backend: Any) -> None:
    x = torch.zeros(3, 3)
    x[1, 1] = torch.nan
    layer = Fp32Layer(weights=torch.ones(5, 3), bias=torch.zeros(5), relu=True)
    assert Fp32Layers([layer], backend=backend)(x).isnan().all(dim=1).tolist() == [False, True, False]


@pytest.mark.parametrize("backend", OPERATOR.backends())
def test_takes_no_rows_and_rows_that_are_not_side_by_side(backend: Any) -> None:
    run, x = Fp32Layers(layers_of((3, 5)), backend=backend), torch.randn(7, 6)
    assert run(x[:0, :3]).shape == (0, 5)
    assert torch.equal(run(x[:, 3:]), run(x[:, 3:].contiguous()))


@pytest.mark.parametrize("x", [torch.ones(3), torch.ones(2, 4), torch.ones(2, 3).double()])
def test_other_inputs_are_refused(x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, 3\) of torch.float32"):
        Fp32Layers(layers_of((3, 5)))(x)


def test_layers_that_do_not_fit_are_refused() -> None:
    (good,) = layers_of((3, 5))

    def other(**fields: Any) -> list[Fp32Layer]:
        return [Fp32Layer(**{**vars(good), **fields})]

    for layers, message in (
        ([], "at least one"),
        (other(weights=good.weights.double()), "expected .* of torch.float32"),
        (other(bias=torch.zeros(4)), r"bias \(4,\) of torch.float32, expected \(5,\)"),
        ([good, good], "layer 1: 3 inputs, expected 5"),
    ):
        with pytest.raises(ValueError, match=message):
            Fp32Layers(layers)
