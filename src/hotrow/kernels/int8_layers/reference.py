"""The specification, in PyTorch: integers as float64, in which their sums are exact."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.int8_layers._types import Int8Layer, Run


def prepare(layers: Sequence[Int8Layer]) -> Run:
    """Return the layers as one function."""

    def run(x_BI: Tensor) -> Tensor:
        note_path("int8_layers", "reference")
        for layer in layers:
            x_BI = _layer(x_BI, layer)
        return x_BI

    return run


def _layer(x_BI: Tensor, layer: Int8Layer) -> Tensor:
    q_BI = x_BI.mul(layer.steps).add_(layer.start).nan_to_num_(0.0).clamp_(0.0, 255.0).to(torch.uint8)
    sums_BO = (q_BI.double() @ layer.weights.double().t()).float()
    y_BO = sums_BO.mul_(layer.multiplier).add_(layer.constant)
    return y_BO.relu_() if layer.relu else y_BO
