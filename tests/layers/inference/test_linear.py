from __future__ import annotations

import pytest
import torch
from torch import nn

from hotrow.layers.inference import Quantization
from hotrow.layers.inference.linear import PackedLayers, fp32_layer, packed_linear
from hotrow.layers.inference.quantized import quantized_layer


def test_against_the_layers_of_training() -> None:
    torch.manual_seed(0)
    first, second, x = nn.Linear(40, 30), nn.Linear(30, 7, bias=False), torch.randn(50, 40)
    packed = PackedLayers([fp32_layer(first.weight, first.bias, relu=True), fp32_layer(second.weight, None)])
    torch.testing.assert_close(packed(x), second(first(x).relu()))
    assert torch.equal(packed(x.bfloat16()), packed(x.bfloat16().float()))
    assert repr(packed) == "PackedLayers(40 to 30 to 7, fp32)"


def test_later_changes_of_the_weights_do_not_show() -> None:
    weight, bias, x = torch.randn(8, 13), torch.randn(8), torch.randn(3, 13)
    layer = packed_linear(weight, bias)
    before = layer(x)
    weight.zero_()
    bias.zero_()
    assert torch.equal(layer(x), before)


def test_layers_of_two_kinds_are_refused() -> None:
    linear = nn.Linear(3, 3)
    int8 = quantized_layer(linear, Quantization(scale=0.1, zero_point=3), relu=False)
    with pytest.raises(ValueError, match="expected one kind"):
        PackedLayers([fp32_layer(linear.weight, None), int8])  # type: ignore[arg-type]
