"""The layers in C++ (csrc/int8_layers.cpp), all in one call; weights are packed once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.int8_layers._types import Int8Layer, Run

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def prepare(layers: Sequence[Int8Layer]) -> Run:
    """Return the layers as one function."""
    packed, outputs = _kernels.Int8Layers(), layers[-1].weights.shape[0]
    for layer in layers:
        packed.add(
            layer.weights.contiguous(),
            layer.multiplier.contiguous(),
            layer.constant.contiguous(),
            layer.relu,
            layer.steps,
            layer.start,
        )

    def run(x_BI: Tensor) -> Tensor:
        note_path("int8_layers", "cpu")
        x_BI, rows = x_BI.contiguous(), x_BI.shape[0]
        out_BO = torch.empty((rows, outputs), dtype=torch.float32, device="cpu")
        packed.forward(x_BI.data_ptr(), rows, out_BO.data_ptr(), torch.get_num_threads())
        return out_BO

    return run
