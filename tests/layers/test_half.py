"""Matrix products in bfloat16 while layers train."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hotrow.layers.cross import CrossNetwork
from hotrow.layers.half import set_half_products
from hotrow.layers.mlp import MLP


def _layers(name: str) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    match name:
        case "mlp":
            return MLP((24, 32, 8), activate_last=False, generator=generator)
        case "cross":
            return CrossNetwork(24, 2, None, generator=generator)
        case _:
            return CrossNetwork(24, 2, 4, generator=generator)


@pytest.mark.parametrize("name", ["mlp", "cross", "low rank"])
def test_results_and_gradients_are_float32_and_near(name: str) -> None:
    layers = _layers(name)
    x = torch.randn(16, 24, generator=torch.Generator().manual_seed(2))
    found = []
    for half in (False, True):
        set_half_products(layers, half)
        layers.zero_grad()
        y = layers(x)
        y.square().sum().backward()
        gradients = [parameter.grad for parameter in layers.parameters()]
        assert all(gradient is not None and gradient.dtype == torch.float32 for gradient in gradients)
        assert y.dtype == torch.float32
        found.append([y.detach(), *(gradient.clone() for gradient in gradients if gradient is not None)])
    for exact, rounded in zip(*found, strict=True):
        assert not torch.equal(exact, rounded)
        assert (exact - rounded).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize("name", ["mlp", "cross", "low rank"])
def test_evaluation_is_float32(name: str) -> None:
    layers = _layers(name).eval()
    x = torch.randn(16, 24)
    expected = layers(x)
    set_half_products(layers, True)
    assert torch.equal(layers(x), expected)


def test_other_activations_stay_float32() -> None:
    layers = MLP(
        (24, 32, 8), activate_last=False, generator=torch.Generator().manual_seed(1), activation="dice"
    )
    x = torch.randn(16, 24)
    expected = layers(x)
    set_half_products(layers, True)
    assert torch.equal(layers(x), expected)
