"""Checks, once, then the chosen implementation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels._layer_checks import is_plain, require_rows, require_weights, told
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
        require_rows(x_BI, self._inputs)
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
        require_rows(x_BI, self._inputs)
        expected = (x_BI.shape[0], self._outputs)
        if sums_BO.shape != expected or not is_plain(sums_BO) or not sums_BO.is_contiguous():
            raise ValueError(
                f"sums: got {told(sums_BO)}, expected {expected} of torch.float32 in host memory, contiguous"
            )
        return self._run(x_BI, sums_BO)


def _check(layers: Sequence[Fp32Layer]) -> None:
    require_weights([layer.weights for layer in layers], torch.float32)
    for number, layer in enumerate(layers):
        expected, bias = layer.weights.shape[:1], layer.bias
        if bias.shape != expected or bias.dtype != torch.float32:
            got = f"{tuple(bias.shape)} of {bias.dtype}"
            raise ValueError(f"layer {number}: bias {got}, expected {tuple(expected)} of torch.float32")
