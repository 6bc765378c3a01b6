"""Linear layers on 8-bit integers, with oneDNN.

    x ~ s_x (q_x - z),  W_o ~ s_o q_o          q_x in 0 ... 255, q_o in -WEIGHT_LEVELS ... WEIGHT_LEVELS
    y_o = s_x s_o (q_o . q_x) + b'_o           b'_o = b_o - s_x s_o z sum(q_o)

Scales of weights are of each output, symmetric; those of inputs of the whole matrix and known beforehand, so
that a row does not depend on the rows beside it. The products are sums of integers, exact in any order. The
zero point is taken out of them into the constant, once.

Shapes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hotrow.layers.inference.networks import Quantization

WEIGHT_LEVELS = 64
"""The largest weight of an output, in steps. Processors without VNNI add products in pairs with 16 bits:
2 * 64 * 255 fits, 2 * 127 * 255 would saturate there, and scores would depend on the processor."""

_pack = torch.ops.onednn.qlinear_prepack
_linear = torch.ops.onednn.qlinear_pointwise.default


class Quantize(nn.Module):
    """Real numbers to 8 bits, rounded half up; what is out of range becomes the nearest that is in it."""

    def __init__(self, form: Quantization) -> None:
        super().__init__()
        self._steps = 1.0 / form.scale
        self._start = form.zero_point + 0.5

    def forward(self, x_BI: Tensor) -> Tensor:
        """Map (B, I) float32 to (B, I) uint8."""
        # One rounding each, so that no compiler's fused multiply-add decides a bit.
        return x_BI.mul(self._steps).add_(self._start).clamp_(0.0, 255.0).to(torch.uint8)


class QuantizedLinear(nn.Module):
    """x -> W x + b, or relu(W x + b), of 8-bit inputs and weights; for inference on a CPU.

    Args:
        weight: W, (O, I) float32.
        bias: b, (O,), or None.
        taken: how the inputs are quantised.
        given: how the outputs are to be; None for float32.
        relu: whether ReLU follows.

    Raises:
        ValueError: a weight is not a finite number.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        *,
        taken: Quantization,
        given: Quantization | None = None,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self.outputs, self.inputs = weight.shape
        steps_OI, scale_O = quantized_weight(weight.detach())
        folded_O = (
            taken.scale * taken.zero_point * scale_O.double() * steps_OI.sum(dim=1, dtype=torch.float64)
        )
        constant_O = -folded_O if bias is None else bias.detach().double() - folded_O
        self._arguments = (
            taken.scale,
            0,
            _pack(steps_OI, None),
            scale_O,
            torch.zeros(self.outputs, dtype=torch.int64),
        )
        form: tuple[float, int, torch.dtype] = (1.0, 0, torch.float32)
        if given is not None:
            form = (given.scale, given.zero_point, torch.uint8)
        self._then: tuple[Any, ...] = (constant_O.float(), *form, "relu" if relu else "none", [], "")

    def forward(self, q_BI: Tensor) -> Tensor:
        """Map (B, I) uint8 to (B, O) float32, or uint8."""
        out: Tensor = _linear(q_BI, *self._arguments, *self._then)
        return out

    def extra_repr(self) -> str:
        """Return what ``print`` shows."""
        return f"{self.inputs}, {self.outputs}, int8 to {self._then[3]}, then={self._then[4]}"


def quantized_weight(weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights in steps, (O, I) int8, and the step of each output, (O,) float32.

    Raises:
        ValueError: a weight is not a finite number.
    """
    if not weight_OI.isfinite().all():
        raise ValueError("a weight is NaN or infinite, expected finite numbers")
    largest_O = weight_OI.abs().amax(dim=1)
    scale_O = torch.where(largest_O > 0, largest_O / WEIGHT_LEVELS, 1.0).clamp(
        min=torch.finfo(torch.float32).tiny
    )
    return (weight_OI / scale_O[:, None]).round().to(torch.int8), scale_O
