"""Checks, once, then the chosen implementation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from hotrow.kernels.dispatch import Backend, Operator
from hotrow.kernels.fp32_layers._types import Fp32Layer, Implementation


def _load_reference() -> Implementation:
    from hotrow.kernels.fp32_layers import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.fp32_layers import cpu

    return cpu


OPERATOR: Operator[Implementation] = Operator("fp32_layers", {"reference": _load_reference, "cpu": _load_cpu})


class Fp32Layers:
    """Layers that are computed in one call; not differentiable.

    Args:
        layers: at least one; each takes what the one before gives.
        backend: which implementation runs.

    Raises:
        BackendUnavailableError: the backend was named and is not installed.
        ValueError: shapes or dtypes do not fit together.
    """

    def __init__(self, layers: Sequence[Fp32Layer], *, backend: Backend = "auto") -> None:
        _check(layers)
        self._inputs, self._outputs = layers[0].weights.shape[1], layers[-1].weights.shape[0]
        self._run = OPERATOR.select(backend, device="cpu").implementation.prepare(layers)

    def __call__(self, x_BI: Tensor) -> Tensor:
        """Map (B, I of the first layer) float32 in host memory to (B, O of the last) float32.

        Raises:
            ValueError: x is none of these.
        """
        self._check(x_BI)
        return self._run(x_BI, None)

    def add_to(self, sums_BO: Tensor, x_BI: Tensor) -> Tensor:
        """Compute as a call does, the last sums begun at ``sums_BO`` instead of at the bias; in place.

        Args:
            sums_BO: (B, O) float32, contiguous; overwritten.
            x_BI: (B, I) float32.

        Returns:
            ``sums_BO``.

        Raises:
            ValueError: shapes, dtypes or devices are others.
        """
        self._check(x_BI)
        expected = (x_BI.shape[0], self._outputs)
        if sums_BO.shape != expected or not _is_plain(sums_BO) or not sums_BO.is_contiguous():
            raise ValueError(
                f"sums: got {_told(sums_BO)}, expected {expected} of torch.float32 in host memory, contiguous"
            )
        return self._run(x_BI, sums_BO)

    def _check(self, x_BI: Tensor) -> None:
        if x_BI.ndim != 2 or x_BI.shape[1] != self._inputs or not _is_plain(x_BI):
            raise ValueError(
                f"x: got {_told(x_BI)}, expected (B, {self._inputs}) of torch.float32 in host memory"
            )


def _is_plain(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.is_cpu


def _told(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} of {tensor.dtype} on {tensor.device}"


def _check(layers: Sequence[Fp32Layer]) -> None:
    if not layers:
        raise ValueError("layers: got none, expected at least one")
    for number, layer in enumerate(layers):
        weights, bias = layer.weights, layer.bias
        if weights.ndim != 2 or weights.dtype != torch.float32 or 0 in weights.shape:
            got = f"{tuple(weights.shape)} of {weights.dtype}"
            raise ValueError(f"layer {number}: weights {got}, expected (O, I) of torch.float32")
        if bias.shape != weights.shape[:1] or bias.dtype != torch.float32:
            got = f"{tuple(bias.shape)} of {bias.dtype}"
            raise ValueError(f"layer {number}: bias {got}, expected ({len(weights)},) of torch.float32")
    for number, (one, other) in enumerate(pairwise(layers)):
        if one.weights.shape[0] != other.weights.shape[1]:
            raise ValueError(
                f"layer {number + 1}: {other.weights.shape[1]} inputs, expected {one.weights.shape[0]}"
            )
