"""Linear layers on 8-bit integers (``hotrow.kernels.int8_layers``).

    x ~ s_x (q_x - z),  W_o ~ s_o q_o          q_x in 0 ... 255, q_o in -64 ... 64
    y_o = s_x s_o (q_o . q_x) + b'_o           b'_o = b_o - s_x s_o z sum(q_o)

Scales of weights are of each output, symmetric; those of inputs of the whole matrix and known beforehand, so
that a row does not depend on the rows beside it.

Shapes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hotrow.kernels.int8_layers import WEIGHT_LEVELS, Int8Layer
from hotrow.layers.inference.networks import Quantization


def quantized_layer(linear: nn.Linear, taken: Quantization, *, relu: bool) -> Int8Layer:
    """Return a layer in 8 bits.

    Args:
        linear: as it was trained.
        taken: how its inputs are quantised.
        relu: whether ReLU follows.

    Raises:
        ValueError: a weight is not a finite number.
    """
    steps_OI, scale_O = quantized_weight(linear.weight.detach())
    multiplier_O = taken.scale * scale_O.double()
    constant_O = -taken.zero_point * multiplier_O * steps_OI.sum(dim=1, dtype=torch.float64)
    if linear.bias is not None:
        constant_O += linear.bias.detach()
    return Int8Layer(
        weights=steps_OI,
        multiplier=multiplier_O.float(),
        constant=constant_O.float(),
        relu=relu,
        steps=float(torch.tensor(1.0 / taken.scale, dtype=torch.float32)),
        start=taken.zero_point + 0.5,
    )


def quantized_weight(weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights in steps, (O, I) int8, and the step of each output, (O,) float32.

    Raises:
        ValueError: a weight is not a finite number.
    """
    if not weight_OI.isfinite().all():
        raise ValueError("a weight is NaN or infinite, expected finite numbers")
    least = torch.finfo(torch.float32).tiny
    scale_O = (weight_OI.abs().amax(dim=1) / WEIGHT_LEVELS).clamp(min=least)
    return (weight_OI / scale_O[:, None]).round().to(torch.int8), scale_O
