from __future__ import annotations

import pytest
import torch
from tests.layers.inference.processors import on_another_processor, skip_unless_it_has_them
from torch import Tensor

from hotrow.layers.inference import Quantization
from hotrow.layers.inference.quantized import WEIGHT_LEVELS, Quantize, QuantizedLinear, quantized_weight

SHAPES = ((1, 3), (13, 512), (367, 256), (2560, 33))
TAKEN, GIVEN = Quantization(scale=0.031, zero_point=77), Quantization(scale=0.11, zero_point=90)


def problem(inputs: int, outputs: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(inputs)
    x = torch.randint(256, (300, inputs), generator=generator, dtype=torch.uint8)
    weight = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
    return x, weight, torch.randn(outputs, generator=generator)


def expected(x: Tensor, weight: Tensor, bias: Tensor, *, relu: bool) -> Tensor:
    """Return what the layer stands for, in float64."""
    steps, scale = quantized_weight(weight)
    rounded = scale.double()[:, None] * steps.double()
    real = TAKEN.scale * (x.double() - TAKEN.zero_point) @ rounded.t() + bias
    return real.relu() if relu else real


def require_exact_products() -> None:
    """Compare with float64: also where products are added in pairs with 16 bits, nothing saturates."""
    for shape in SHAPES:
        x, weight, bias = problem(*shape)
        x[0], x[1, ::2], weight[0] = 255, 255, 1.0
        layer = QuantizedLinear(weight, bias, taken=TAKEN, relu=True)
        whole = layer(x)
        torch.testing.assert_close(whole.double(), expected(x, weight, bias, relu=True), rtol=1e-5, atol=1e-4)
        for size in (1, 2, 5, 16, 33, 299):
            assert torch.equal(layer(x[:size]), whole[:size]), (shape, size)


def test_against_float64() -> None:
    require_exact_products()


@pytest.mark.parametrize("instructions", ["AVX512_CORE", "AVX2_VNNI", "AVX2"])
def test_likewise_with_other_instructions(instructions: str) -> None:
    skip_unless_it_has_them(instructions)
    on_another_processor(instructions, __name__, "require_exact_products()")


@pytest.mark.parametrize("relu", [False, True])
def test_outputs_in_8_bits(relu: bool) -> None:
    x, weight, bias = problem(367, 256)
    got = QuantizedLinear(weight, bias, taken=TAKEN, given=GIVEN, relu=relu)(x)
    steps = expected(x, weight, bias, relu=relu) / GIVEN.scale + GIVEN.zero_point
    assert got.dtype == torch.uint8
    assert float((got.double() - steps.clamp(0, 255)).abs().max()) <= 0.5001


def test_weights_in_steps() -> None:
    weight = torch.tensor([[0.5, -1.0, 0.0], [0.0, 0.0, 0.0], [1e-44, 0.0, -1e-44], [3e38, -1e38, 0.0]])
    steps, scale = quantized_weight(weight)
    assert steps[0].tolist() == [WEIGHT_LEVELS // 2, -WEIGHT_LEVELS, 0]
    assert steps[1].tolist() == [0, 0, 0]
    assert int(steps.abs().max()) <= WEIGHT_LEVELS
    assert (scale > 0).all()
    assert float((steps[3] * scale[3] - weight[3]).abs().max()) <= 0.51 * float(scale[3])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        quantized_weight(torch.tensor([[1.0, value]]))


def test_inputs_in_steps() -> None:
    x = torch.tensor([[-100.0, -77 * 0.031, 0.0, 0.031, 0.04, 5.0, 1e9, torch.inf]])
    assert Quantize(TAKEN)(x).tolist() == [[0, 0, 77, 78, 78, 238, 255, 255]]
