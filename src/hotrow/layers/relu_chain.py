"""Linear layers with ReLU between them as one function of autograd, for training on a CPU.

Rows of matrices begin at multiples of ``_ALIGNED`` numbers: with 367 columns, DLRM's, a product of MKL takes
up to twice the time of one with 368. So inputs and weights of other widths get columns of zeros. Gradients
between the layers, which nobody else sees, pass ReLU in place.

Shapes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_ALIGNED = 8
_LEAST_ROWS = 1024  # with fewer, what autograd takes for Python's sake is more than all that is saved


def is_worth_it(x_BI: Tensor) -> bool:
    """Return whether inputs are in host memory, and so many that the function is faster than its layers."""
    return x_BI.device.type == "cpu" and x_BI.shape[0] >= _LEAST_ROWS


def relu_chain(x_BI: Tensor, linears: Sequence[nn.Linear], *, activate_last: bool) -> Tensor:
    """Return relu(... relu(W x + b) ...), the last layer with or without ReLU.

    Args:
        x_BI: inputs.
        linears: at least one, each with a bias.
        activate_last: whether ReLU follows the last one.
    """
    parameters = [parameter for linear in linears for parameter in (linear.weight, linear.bias)]
    out: Tensor = _ReluChain.apply(x_BI, activate_last, *parameters)  # type: ignore[no-untyped-call]
    return out


class _ReluChain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BI: Tensor, activate_last: bool, *parameters: Tensor) -> Tensor:
        ctx.activate_last, ctx.widths = activate_last, []
        kept: list[Tensor] = []
        y, left = x_BI, len(parameters) // 2
        for weight_OI, bias_O in zip(parameters[::2], parameters[1::2], strict=True):
            left -= 1
            ctx.widths.append(weight_OI.shape[1])
            x, weight = _aligned(y), _aligned(weight_OI)
            y = torch.addmm(bias_O, x, weight.t())
            if left or activate_last:
                y.relu_()
            kept += [x, weight]
        ctx.save_for_backward(*kept, y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        *kept, y = ctx.saved_tensors
        layers = len(ctx.widths)
        grads: list[Tensor | None] = []
        for number in range(layers - 1, -1, -1):
            x, weight = kept[2 * number : 2 * number + 2]
            width = ctx.widths[number]
            if number + 1 < layers:
                torch.ops.aten.threshold_backward.grad_input(grad, y, 0, grad_input=grad)
            elif ctx.activate_last:
                grad = torch.ops.aten.threshold_backward(grad, y, 0)
            grads = [torch.mm(grad.t(), x)[:, :width], grad.sum(dim=0), *grads]
            if number or ctx.needs_input_grad[0]:
                grad = torch.mm(grad, weight)
                grad = grad if grad.shape[1] == width else grad[:, :width]
            y = x if x.shape[1] == width else x[:, :width]
        return (grad if ctx.needs_input_grad[0] else None, None, *grads)


def _aligned(x: Tensor) -> Tensor:
    """Return a matrix with columns of zeros behind it, if its rows begin anywhere."""
    missing = -x.shape[1] % _ALIGNED
    return F.pad(x, (0, missing)) if missing else x
