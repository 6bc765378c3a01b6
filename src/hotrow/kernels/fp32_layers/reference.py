"""The specification, in PyTorch: sums in float64."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.fp32_layers._types import Fp32Layer, Run


def prepare(layers: Sequence[Fp32Layer]) -> Run:
    """Return the layers as one function."""
    *before, (weights_IO, bias_O, relu) = [
        (layer.weights.double().t(), layer.bias.double(), layer.relu) for layer in layers
    ]

    def run(x_BI: Tensor, onto_BO: Tensor | None) -> Tensor:
        note_path("fp32_layers", "reference")
        for layer in before:
            x_BI = _layer(x_BI, *layer)
        if onto_BO is None:
            return _layer(x_BI, weights_IO, bias_O, relu)
        return onto_BO.copy_(_layer(x_BI, weights_IO, onto_BO.double(), relu))

    return run


def _layer(x_BI: Tensor, weights_IO: Tensor, start: Tensor, relu: bool) -> Tensor:
    y_BO = (x_BI.double() @ weights_IO + start).float()
    return y_BO.relu_() if relu else y_BO
