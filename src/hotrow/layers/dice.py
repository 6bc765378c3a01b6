"""DICE and the choice of an activation (DIN, https://arxiv.org/abs/1706.06978, section 5.3).

    f(s) = p(s) s + (1 - p(s)) alpha s,   p(s) = sigmoid((s - E[s]) / sqrt(Var[s] + eps))

PReLU is the special case of a step at 0 for p. Shapes: R rows (examples or steps), H width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["relu", "prelu", "dice"]


class Dice(nn.Module):
    """An activation whose turning point is where the data is.

    Mean and variance of each column are those of the batch in training, and moving averages of them in
    evaluation, so that scores do not depend on what is scored together. A batch of fewer than two rows
    has no variance: it is taken as in evaluation and does not move the averages.

    Args:
        width: H.
        momentum: share of a batch in the moving averages.
        eps: as in the paper.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, *, momentum: float = 0.1, eps: float = 1e-8) -> None:
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.alpha = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x_RH: Tensor) -> Tensor:
        """Map (R, H) to (R, H)."""
        learns = self.training and x_RH.shape[0] > 1
        normal_RH = F.batch_norm(
            x_RH, self.running_mean, self.running_var, None, None, learns, self.momentum, self.eps
        )
        alpha = self.alpha.to(x_RH.dtype)
        return x_RH * torch.lerp(alpha, torch.ones_like(alpha), normal_RH.sigmoid())


def make_activation(kind: Activation, width: int) -> nn.Module:
    """Return an activation of H columns; a PReLU starts with a slope of 1/4 in each."""
    match kind:
        case "relu":
            return nn.ReLU(inplace=True)
        case "prelu":
            return nn.PReLU(width)
        case "dice":
            return Dice(width)


def activation_parameters(kind: Activation, widths: Sequence[int]) -> int:
    """Return the number of parameters of activations of these widths."""
    return 0 if kind == "relu" else sum(widths)
