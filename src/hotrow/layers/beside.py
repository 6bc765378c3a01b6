"""Matrices side by side, copied only where there are several."""

from __future__ import annotations

import torch
from torch import Tensor


def beside(*parts: Tensor) -> Tensor:
    """Return (B, n) matrices side by side; those of no columns are left out, and one alone is not copied."""
    some = [part for part in parts if part.shape[1]]
    return some[0] if len(some) == 1 else torch.cat(some, dim=1)
