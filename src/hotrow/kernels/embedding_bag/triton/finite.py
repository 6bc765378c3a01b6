"""Whether all gradients are finite numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from hotrow.kernels.embedding_bag._types import BadGradientError, Bags, Embedded, Layout
from hotrow.kernels.embedding_bag.reference import gather_gradients


def check_finite(layout: Layout, bags: Bags, grad: Embedded) -> None:
    """Wait for one number: a bound of all gradients; only where it is not finite look at each.

    Raises:
        BadGradientError: a gradient that reaches a table is NaN or infinite.
    """
    bound = torch.stack([_largest(grad.pooled), _largest(grad.sequences)]).amax()
    if bags.weights is not None:
        bound = bound * _largest(bags.weights).clamp(min=1.0)
    if bool(bound.isfinite()):
        return
    for table, (_, grad_LD) in enumerate(gather_gradients(layout, bags, grad)):
        if not bool(grad_LD.isfinite().all()):
            raise BadGradientError(table)


def _largest(x: Tensor) -> Tensor:
    """Return the largest magnitude; NaN if there is one."""
    return x.abs().amax() if x.numel() else x.new_zeros(())
