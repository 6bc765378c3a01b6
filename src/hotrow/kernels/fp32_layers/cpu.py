"""The layers in C++ (csrc/fp32_layers.cpp), all in one call; weights are packed once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.fp32_layers._types import Fp32Layer, Run

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def prepare(layers: Sequence[Fp32Layer]) -> Run:
    """Return the layers as one function."""
    packed, outputs = _kernels.Fp32Layers(), layers[-1].weights.shape[0]
    for layer in layers:
        packed.add(layer.weights.detach().contiguous(), layer.bias.detach().contiguous(), layer.relu)

    def run(x_BI: Tensor, onto_BO: Tensor | None) -> Tensor:
        note_path("fp32_layers", "cpu")
        x_BI, rows, adds = x_BI.contiguous(), x_BI.shape[0], onto_BO is not None
        out_BO = (
            torch.empty((rows, outputs), dtype=torch.float32, device="cpu") if onto_BO is None else onto_BO
        )
        packed.forward(x_BI.data_ptr(), rows, out_BO.data_ptr(), adds, torch.get_num_threads())
        return out_BO

    return run
