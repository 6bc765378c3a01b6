from __future__ import annotations

import pytest
import torch
from torch import nn

from hotrow.kernels.int8_layers import WEIGHT_LEVELS
from hotrow.layers.inference import Quantization
from hotrow.layers.inference.linear import PackedLayers
from hotrow.layers.inference.quantized import quantized_layer, quantized_weight

TAKEN = (Quantization(scale=0.031, zero_point=77), Quantization(scale=0.02, zero_point=0))


def layers() -> list[nn.Linear]:
    torch.manual_seed(0)
    return [nn.Linear(40, 30), nn.Linear(30, 7, bias=False)]


def rounded(x: torch.Tensor, form: Quantization) -> torch.Tensor:
    q = (x / form.scale + form.zero_point + 0.5).floor().clamp(0, 255)
    return (q - form.zero_point) * form.scale


def test_against_float64() -> None:
    first, second = layers()
    x = torch.randn(50, 40).clamp(-2.3, 5.4)
    run = PackedLayers(
        [quantized_layer(first, TAKEN[0], relu=True), quantized_layer(second, TAKEN[1], relu=False)]
    )
    y = x.double()
    for linear, form in zip((first, second), TAKEN, strict=True):
        steps, scale = quantized_weight(linear.weight.detach())
        y = rounded(y, form) @ (scale.double()[:, None] * steps).t()
        y = y if linear.bias is None else (y + linear.bias.detach()).relu()
    got = run(x)
    # Now and then a number lies so near the middle of a step that float32 rounds it to the other side.
    assert float((got - y).abs().median()) < 1e-5
    assert float((got - y).abs().max()) < 0.02
    assert torch.equal(run(x.bfloat16()), run(x.bfloat16().float()))
    torch.testing.assert_close(got, second(first(x).relu()), rtol=0.1, atol=0.1)


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
