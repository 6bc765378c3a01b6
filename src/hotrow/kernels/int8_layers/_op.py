"""Checks, once, then the chosen implementation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels._layer_checks import require_rows, require_weights
from hotrow.kernels.dispatch import Backend, Operator
from hotrow.kernels.int8_layers._types import WEIGHT_LEVELS, Implementation, Int8Layer


def _load_reference() -> Implementation:
    from hotrow.kernels.int8_layers import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.int8_layers import cpu

    return cpu


OPERATOR: Operator[Implementation] = Operator("int8_layers", {"reference": _load_reference, "cpu": _load_cpu})


class Int8Layers:
    """Layers that are computed in one call; not differentiable.

    Args:
        layers: at least one; each takes what the one before gives.
        backend: which implementation runs.

    Raises:
        BackendUnavailableError: the backend was named and is not installed.
        ValueError: shapes or dtypes do not fit together, or a weight is too large.
    """

    def __init__(self, layers: Sequence[Int8Layer], *, backend: Backend = "auto") -> None:
        _check(layers)
        self._inputs = layers[0].weights.shape[1]
        self._run = OPERATOR.select(backend, device="cpu").implementation.prepare(layers)

    def __call__(self, x_BI: Tensor) -> Tensor:
        """Map (B, I of the first layer) float32 in host memory to (B, O of the last) float32.

        Raises:
            ValueError: x is none of these.
        """
        require_rows(x_BI, self._inputs)
        return self._run(x_BI)


def _check(layers: Sequence[Int8Layer]) -> None:
    require_weights([layer.weights for layer in layers], torch.int8)
    for number, layer in enumerate(layers):
        weights, numbers = layer.weights, (layer.multiplier, layer.constant)
        if int(weights.short().abs().max()) > WEIGHT_LEVELS:
            raise ValueError(f"layer {number}: a weight beyond {WEIGHT_LEVELS}")
        if any(x.shape != weights.shape[:1] or x.dtype != torch.float32 for x in numbers):
            raise ValueError(f"layer {number}: expected multiplier and constant ({len(weights)},) of float32")
