"""Linear layers on weights that are packed once, several of them in one call.

Shapes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hotrow.kernels.fp32_layers import Fp32Layer, Fp32Layers
from hotrow.kernels.int8_layers import Int8Layer, Int8Layers


class PackedLayers(nn.Module):
    """Linear layers after one another, with or without ReLU; for inference on a CPU.

    Args:
        layers: at least one, all of the same kind.
    """

    def __init__(self, layers: Sequence[Fp32Layer] | Sequence[Int8Layer]) -> None:
        super().__init__()
        int8 = [layer for layer in layers if isinstance(layer, Int8Layer)]
        fp32 = [layer for layer in layers if isinstance(layer, Fp32Layer)]
        if int8 and fp32:
            raise ValueError("layers: got fp32 and int8 ones, expected one kind")
        self._call = Int8Layers(int8) if int8 else Fp32Layers(fp32)
        self._sizes = [layers[0].weights.shape[1], *(layer.weights.shape[0] for layer in layers)]
        self._kind = "int8" if int8 else "fp32"

    def forward(self, x_BI: Tensor) -> Tensor:
        """Map (B, I of the first) of any floating dtype to (B, O of the last) float32."""
        return self._call(x_BI.float())

    def extra_repr(self) -> str:
        """Return what ``print`` shows."""
        return f"{' to '.join(map(str, self._sizes))}, {self._kind}"


def fp32_layer(weight: Tensor, bias: Tensor | None, *, relu: bool = False) -> Fp32Layer:
    """Return x -> W x + b, or relu(W x + b).

    Args:
        weight: W, (O, I).
        bias: b, (O,), or None.
        relu: whether ReLU follows.
    """
    weights = weight.detach().float()
    return Fp32Layer(
        weights=weights,
        bias=weights.new_zeros(len(weights)) if bias is None else bias.detach().float(),
        relu=relu,
    )


def packed_linear(weight: Tensor, bias: Tensor | None) -> PackedLayers:
    """Return x -> W x + b alone."""
    return PackedLayers([fp32_layer(weight, bias)])
