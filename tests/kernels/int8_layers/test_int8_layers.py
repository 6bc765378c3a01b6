from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hotrow.kernels.dispatch import record_paths
from hotrow.kernels.int8_layers import OPERATOR, WEIGHT_LEVELS, Int8Layer, Int8Layers

SIZES = ((3, 5), (1, 17, 33, 1), (13, 512, 256, 64, 16), (367, 65, 130), (4, 64), (5, 4, 3, 2, 1))
ROWS = 200


def layers_of(sizes: tuple[int, ...]) -> list[Int8Layer]:
    generator = torch.Generator().manual_seed(sum(sizes))
    found = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        shape = (outputs, inputs)
        weights = torch.randint(-WEIGHT_LEVELS, WEIGHT_LEVELS + 1, shape, generator=generator).to(torch.int8)
        weights[0] = WEIGHT_LEVELS  # with inputs of 255 the largest sums that there are
        found.append(
            Int8Layer(
                weights=weights,
                multiplier=torch.rand(outputs, generator=generator) * 2e-3 / inputs**0.5,
                constant=torch.randn(outputs, generator=generator),
                relu=number % 2 == 0,
                steps=21.3,
                start=70.5,
            )
        )
    return found


def inputs_of(sizes: tuple[int, ...]) -> Tensor:
    x = torch.randn(ROWS, sizes[0], generator=torch.Generator().manual_seed(1)) * 3
    x[0], x[1], x[2], x[3] = 1e9, -torch.inf, torch.inf, torch.nan
    return x


def require_same_bits() -> None:
    """Compare the compiled layers with the reference, rows among others, on several threads."""
    for sizes in SIZES:
        layers, x = layers_of(sizes), inputs_of(sizes)
        expected = Int8Layers(layers, backend="reference")(x)
        run = Int8Layers(layers, backend="cpu")
        for threads in (1, 3):
            torch.set_num_threads(threads)
            assert torch.equal(run(x), expected), (sizes, threads)
        torch.set_num_threads(1)
        for size in (1, 2, 5, 6, 7, 13, 47, 48, 49, 100):
            assert torch.equal(run(x[10 : 10 + size]), expected[10 : 10 + size]), (sizes, size)


needs_cpu = pytest.mark.skipif("cpu" not in OPERATOR.backends(), reason="the compiled kernels are not there")


@needs_cpu
@pytest.mark.usefixtures("one_thread")
def test_the_same_bits_as_the_reference() -> None:
    require_same_bits()


@needs_cpu
@pytest.mark.parametrize("instructions", ["avx2", "baseline"])
def test_likewise_with_other_instructions(instructions: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import *\nrequire_same_bits()"],
        env={**os.environ, "HOTROW_ISA": instructions, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]


@pytest.mark.parametrize("backend", OPERATOR.backends())
def test_against_whole_numbers(backend: Any) -> None:
    (layer,) = layers_of((13, 9))
    x = inputs_of((13,))[4:]
    q = (x.double() * layer.steps + layer.start).clamp(0, 255).floor().long()
    expected = (q @ layer.weights.long().t()) * layer.multiplier.double() + layer.constant
    with record_paths() as paths:
        got = Int8Layers([layer], backend=backend)(x)
    assert paths == [("int8_layers", backend)]
    torch.testing.assert_close(got.double(), expected.relu(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", OPERATOR.backends())
def test_takes_no_rows_and_rows_that_are_not_side_by_side(backend: Any) -> None:
    run, x = Int8Layers(layers_of((3, 5)), backend=backend), torch.randn(7, 6)
    assert run(x[:0, :3]).shape == (0, 5)
    assert torch.equal(run(x[:, 3:]), run(x[:, 3:].contiguous()))


@pytest.mark.parametrize("x", [torch.ones(3), torch.ones(2, 4), torch.ones(2, 3).double()])
def test_other_inputs_are_refused(x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, 3\) of torch.float32"):
        Int8Layers(layers_of((3, 5)))(x)


def test_layers_that_do_not_fit_are_refused() -> None:
    (good,) = layers_of((3, 5))

    def other(**fields: Any) -> list[Int8Layer]:
        return [Int8Layer(**{**vars(good), **fields})]

    for layers, message in (
        ([], "at least one"),
        (other(weights=good.weights.float()), "expected .* of torch.int8"),
        (other(weights=torch.full((5, 3), -128, dtype=torch.int8)), "a weight beyond 64"),
        (other(constant=torch.zeros(4)), r"multiplier and constant \(5,\)"),
        ([good, good], "layer 1: 3 inputs, expected 5"),
    ):
        with pytest.raises(ValueError, match=message):
            Int8Layers(layers)
