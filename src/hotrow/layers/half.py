"""Training in mixed precision: matrix products in bfloat16, all else in float32.

Weights, their gradients and the optimizer stay float32 (the master copy of Micikevicius et al., "Mixed
Precision Training", ICLR 2018); bfloat16 has float32's range, so losses need no scaling (Kalamkar et al.,
arXiv 1905.12322).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HalfProducts(nn.Module):
    """Base of layers whose matrix products can be in bfloat16 while they train.

    Args:
        can_be_half: whether all that is between the products can be, too.

    Attributes:
        half_products: whether they are; in evaluation they never are.
    """

    def __init__(self, *, can_be_half: bool = True) -> None:
        super().__init__()
        self.can_be_half = can_be_half
        self.half_products = False

    def product(self, layers: nn.Module, x: Tensor) -> Tensor:
        """Return ``layers(x)`` as float32."""
        if not (self.half_products and self.training):
            y: Tensor = layers(x)
            return y
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            y = layers(x)
        return y.float()


def set_half_products(model: nn.Module, half: bool) -> None:
    """Let a model train with matrix products in bfloat16, or in float32.

    They are those of ``MLP`` with ReLU and of ``CrossNetwork``. Other activations, recurrent layers,
    attention and the interactions, small next to these, stay float32.
    """
    for module in model.modules():
        if isinstance(module, HalfProducts):
            module.half_products = half and module.can_be_half
