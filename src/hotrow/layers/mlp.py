"""Multi-layer perceptron with DLRM's initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from hotrow.layers.dice import Activation, activation_parameters, make_activation
from hotrow.layers.half import HalfProducts
from hotrow.layers.initial import xavier_linear
from hotrow.layers.relu_chain import is_worth_it, relu_chain


class MLP(HalfProducts):
    """Linear layers with an activation between them, ReLU if not told: x -> relu(W x + b) -> ... -> W x + b.

    Weights start normal with standard deviation sqrt(2 / (m + n)) and biases normal with
    sqrt(1 / m), for a layer of n inputs and m outputs, as in facebookresearch/dlrm; or biases start at 0.

    Args:
        sizes: widths from the input to the output, e.g. ``(13, 512, 256, 16)``.
        activate_last: whether the output passes an activation too.
        generator: source of the initial weights.
        activation: which one.
        zero_bias: whether biases start at 0. Where the inputs are embeddings alone, which start near 0,
            random biases drown them at first: units are on or off for every example alike.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activate_last: bool,
        generator: torch.Generator,
        activation: Activation = "relu",
        zero_bias: bool = False,
    ) -> None:
        super().__init__(can_be_half=activation == "relu")
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            linear = xavier_linear(inputs, outputs, generator)
            if not zero_bias:
                with torch.no_grad():
                    linear.bias.normal_(0.0, math.sqrt(1.0 / outputs), generator=generator)
            layers += [linear, make_activation(activation, outputs)]
        self.layers = nn.Sequential(*(layers if activate_last else layers[:-1]))
        self._has_relu = activation == "relu"

    @property
    def last(self) -> nn.Linear:
        """The last linear layer."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)][-1]

    def forward(self, x_BN: Tensor) -> Tensor:
        """Map (B, first of sizes) to (B, last of sizes)."""
        is_trained = torch.is_grad_enabled() and not self.half_products
        if self._has_relu and is_trained and is_worth_it(x_BN):
            linears = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
            return relu_chain(x_BN, linears, activate_last=len(self.layers) == 2 * len(linears))
        return self.product(self.layers, x_BN)


def mlp_flop(sizes: Sequence[int]) -> int:
    """Return the floating-point operations of one example's matrix products (multiply-add = 2)."""
    return sum(2 * inputs * outputs for inputs, outputs in pairwise(sizes))


def mlp_parameters(sizes: Sequence[int], activation: Activation = "relu") -> int:
    """Return the number of weights and biases, and of the parameters of activations between layers."""
    weights = sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    return weights + activation_parameters(activation, sizes[1:-1])
