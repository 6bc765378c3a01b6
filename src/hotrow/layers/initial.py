"""Initial weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def xavier_normal(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Return (m, n) float32, normal with standard deviation sqrt(2 / (m + n)) (Glorot and Bengio 2010)."""
    return torch.empty(shape, device="cpu").normal_(0.0, math.sqrt(2.0 / sum(shape)), generator=generator)


def xavier_linear(inputs: int, outputs: int, generator: torch.Generator, *, bias: bool = True) -> nn.Linear:
    """Return a linear layer whose weights start as ``xavier_normal`` and whose biases are 0."""
    linear = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)  # type: ignore[no-untyped-call]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(xavier_normal((outputs, inputs), generator))
        if bias:
            linear.bias.zero_()
    return linear
