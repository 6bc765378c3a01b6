"""What ``fp32_layers`` and ``int8_layers`` ask of their arguments alike.

Shapes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def require_weights(weights: Sequence[Tensor], dtype: torch.dtype) -> None:
    """Refuse layers, each (O, I), of which one does not take what the one before gives.

    Raises:
        ValueError: that is so, there are none, or one is of another dtype, not a matrix, or empty.
    """
    if not weights:
        raise ValueError("layers: got none, expected at least one")
    for number, matrix in enumerate(weights):
        if matrix.ndim != 2 or matrix.dtype != dtype or 0 in matrix.shape:
            got = f"{tuple(matrix.shape)} of {matrix.dtype}"
            raise ValueError(f"layer {number}: weights {got}, expected (O, I) of {dtype}")
    for number, (one, other) in enumerate(pairwise(weights)):
        if one.shape[0] != other.shape[1]:
            raise ValueError(f"layer {number + 1}: {other.shape[1]} inputs, expected {one.shape[0]}")


def require_rows(x_BI: Tensor, inputs: int) -> None:
    """Refuse what is not (B, ``inputs``) float32 in host memory.

    Raises:
        ValueError: x is none of these.
    """
    if x_BI.ndim != 2 or x_BI.shape[1] != inputs or not is_plain(x_BI):
        raise ValueError(f"x: got {told(x_BI)}, expected (B, {inputs}) of torch.float32 in host memory")


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor is float32 in host memory."""
    return tensor.dtype == torch.float32 and tensor.is_cpu


def told(tensor: Tensor) -> str:
    """Return what a tensor is, for messages."""
    return f"{tuple(tensor.shape)} of {tensor.dtype} on {tensor.device}"
