"""The sigmoid, with the same bits wherever an element stands."""

from __future__ import annotations

from torch import Tensor


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x)), elementwise, in float32.

    ``torch.sigmoid`` takes the last elements of a tensor, which do not fill a vector, through another
    exponential than the others: on 100,000 random numbers 0.8% differed in the last bit. ``torch.exp``, sums
    and quotients have no such seam (``tests/layers/inference/test_sigmoid.py``).
    """
    return x.float().neg().exp_().add_(1.0).reciprocal_()
