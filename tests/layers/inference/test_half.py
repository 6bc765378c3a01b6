from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from tests.layers.inference.processors import on_another_processor, skip_unless_it_has_them
from torch import Tensor

from hotrow.layers.inference import half
from hotrow.layers.inference.half import MOST_INPUTS_ALONE, HalfLinear
from hotrow.layers.inference.ladder import steps

SHAPES = (
    (1, 3),
    (13, 512),
    (367, 256),
    (256, 1),
    (MOST_INPUTS_ALONE, 64),
    (MOST_INPUTS_ALONE + 1, 64),
    (2560, 33),
)
ROWS = 400

pytestmark = pytest.mark.skipif(not half.is_available(), reason="the processor has no AVX-512")


def problem(inputs: int, outputs: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(inputs)
    x, weight = (torch.randn(n, inputs, generator=generator) for n in (ROWS, outputs))
    return x, weight / inputs**0.5, torch.randn(outputs, generator=generator)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("relu", [False, True])
def test_against_float64(shape: tuple[int, int], relu: bool) -> None:
    x, weight, bias = (tensor.bfloat16() for tensor in problem(*shape))
    expected = x.double() @ weight.double().t() + bias.double()
    got = HalfLinear(weight, bias, relu=relu)(x[:77])
    assert got.dtype == torch.bfloat16
    expected = expected[:77].relu() if relu else expected[:77]
    torch.testing.assert_close(got.double(), expected, rtol=8e-3, atol=8e-3)


def require_same_bits() -> None:
    """Compute rows among others, on several numbers of threads."""
    draw = random.Random(0)
    sizes = [*range(1, 34), 47, 63, 64, 65, 100, 127, 128, 129, 200, 255, 256, 270, 300, 399]
    for shape in SHAPES:
        x, weight, bias = problem(*shape)
        layer = HalfLinear(weight, bias, relu=True)
        torch.set_num_threads(1)
        whole = layer(x)
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            for size in sizes if threads == 1 else sizes[::7]:
                first = draw.randrange(ROWS - size + 1)
                part = slice(first, first + size)
                assert torch.equal(layer(x[part]), whole[part]), (shape, threads, size)


@pytest.mark.usefixtures("one_thread")
def test_a_row_has_the_same_bits_among_any_others() -> None:
    require_same_bits()


def test_likewise_with_other_instructions() -> None:
    skip_unless_it_has_them("AVX512_CORE")
    on_another_processor("AVX512_CORE", __name__, "require_same_bits()")


def test_few_numbers_of_rows_are_computed_with(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()

    def note(x: Tensor, *words: object) -> Any:
        seen.add(x.shape[0])
        return compute(x, *words)

    compute = half._linear
    monkeypatch.setattr(half, "_linear", note)
    x, weight, _ = problem(13, 8)
    layer = HalfLinear(weight, None)
    for rows in range(1, ROWS + 1):
        assert layer(x[:rows]).shape == (rows, 8)
    assert seen == set(steps(ROWS + 16))


def test_takes_no_rows_and_rows_that_are_not_side_by_side() -> None:
    x, weight, _ = problem(13, 8)
    layer = HalfLinear(weight, None)
    assert layer(x[:0]).shape == (0, 8)
    wide = torch.cat([x, x], dim=1)
    assert torch.equal(layer(wide[:, 13:]), layer(x))


def test_later_changes_of_the_weights_do_not_show() -> None:
    x, weight, bias = problem(13, 8)
    layer = HalfLinear(weight, bias)
    before = layer(x)
    weight.zero_()
    bias.zero_()
    assert torch.equal(layer(x), before)
