"""DICE as it is served (``hotrow.layers.dice``)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotrow.layers.dice import Dice
from hotrow.layers.inference.sigmoid import sigmoid


class PackedDice(nn.Module):
    """A Dice in evaluation: float32, with moving averages."""

    def __init__(self, source: Dice) -> None:
        super().__init__()
        self.source = source
        self._ones = torch.ones_like(source.alpha)

    def forward(self, x_RH: Tensor) -> Tensor:
        """Map (R, H) to (R, H)."""
        dice, x_RH = self.source, x_RH.float()
        normal_RH = F.batch_norm(x_RH, dice.running_mean, dice.running_var, eps=dice.eps)
        return torch.lerp(dice.alpha, self._ones, sigmoid(normal_RH)).mul_(x_RH)
