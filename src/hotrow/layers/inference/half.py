"""Linear layers in bfloat16, on oneDNN's packed weights.

What keeps a row's bits is that oneDNN chooses its blocks of inputs, and with them the order of summation, by
the weights, which are packed once; rows only choose how many are taken side by side. This is how its kernels
work (oneDNN 3.12 as in torch 2.13), not something that it promises. Of all shapes tried there was one
exception: a row alone, of more than 1024 inputs, is summed in one go instead of in blocks, so such a row is
computed twice (``tests/layers/inference/test_half.py``).

Shapes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hotrow.layers.inference.ladder import step_above

MOST_INPUTS_ALONE = 1024
"""A single row of more inputs is computed as two."""

_pack = torch.ops.mkldnn._reorder_linear_weight
_linear = torch.ops.mkldnn._linear_pointwise.default


def is_available() -> bool:
    """Return whether this processor, and this torch, have the kernels: it needs AVX-512 or newer."""
    has_onednn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return has_onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def padded(x_BI: Tensor) -> Tensor:
    """Return rows with as many rows of zeros behind them as the next step of the ladder has more."""
    rows = x_BI.shape[0]
    more = step_above(rows) - rows
    return nn.functional.pad(x_BI, (0, 0, 0, more)) if more else x_BI


class HalfLinear(nn.Module):
    """x -> W x + b, or relu(W x + b), summed in float32; for inference on a CPU.

    Args:
        weight: W, (O, I).
        bias: b, (O,), or None.
        relu: whether ReLU follows.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, *, relu: bool = False) -> None:
        super().__init__()
        self.outputs, self.inputs = weight.shape
        self._weight = _pack(weight.detach().bfloat16().contiguous(), None)
        self._bias = None if bias is None else bias.detach().to(torch.bfloat16, copy=True)
        self._then = "relu" if relu else "none"
        self._not_alone = self.inputs > MOST_INPUTS_ALONE

    def forward(self, x_BI: Tensor) -> Tensor:
        """Map (B, I) of any floating dtype to (B, O) bfloat16."""
        x_BI = x_BI.bfloat16()
        if self._not_alone and x_BI.shape[0] == 1:
            twice: Tensor = _linear(x_BI.expand(2, -1), self._weight, self._bias, self._then, [], "")
            return twice[:1]
        rows = x_BI.shape[0]
        out: Tensor = _linear(padded(x_BI), self._weight, self._bias, self._then, [], "")
        return out if out.shape[0] == rows else out[:rows]

    def extra_repr(self) -> str:
        """Return what ``print`` shows."""
        return f"{self.inputs}, {self.outputs}, then={self._then}"
