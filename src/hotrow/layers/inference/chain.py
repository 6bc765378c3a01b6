"""Linear layers and activations after one another, as they are served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from hotrow.kernels.fp32_layers import Fp32Layer
from hotrow.kernels.int8_layers import Int8Layer
from hotrow.layers.dice import Dice
from hotrow.layers.inference.dice import PackedDice
from hotrow.layers.inference.half import HalfLinear, padded
from hotrow.layers.inference.linear import PackedLayers, fp32_layer
from hotrow.layers.inference.networks import Networks
from hotrow.layers.inference.quantized import quantized_layer


@dataclass(frozen=True, kw_only=True)
class Block:
    """A linear layer and the activation that follows it.

    Attributes:
        name: of the linear layer in its model.
        linear: as it was trained.
        activation: likewise; None for none.
    """

    name: str
    linear: nn.Linear
    activation: nn.Module | None = None

    @property
    def is_bent(self) -> bool:
        """Whether an activation other than ReLU follows, which no packed layer does on its own."""
        return self.activation is not None and not isinstance(self.activation, nn.ReLU)


class Chain(nn.Module):
    """Blocks as one function of float32 to float32.

    Args:
        blocks: in their order; none: the identity.
        networks: in which numbers they are computed.
    """

    def __init__(self, blocks: Sequence[Block], networks: Networks) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_stages(blocks, networks))
        self._calls = [stage.forward for stage in self.stages]
        self._is_half = sum(isinstance(stage, HalfLinear) for stage in self.stages) > 1

    def forward(self, x_BI: Tensor) -> Tensor:
        """Map (B, I) to (B, O)."""
        rows = x_BI.shape[0]
        if self._is_half:
            x_BI = padded(x_BI)  # once for all of them
        for call in self._calls:
            x_BI = call(x_BI)
        return x_BI[:rows].float() if x_BI.shape[0] != rows else x_BI.float()


def blocks_of(layers: nn.Sequential, name: str) -> list[Block]:
    """Return the blocks of linear layers, each with the activation behind it or none."""
    blocks: list[Block] = []
    for place, layer in layers.named_children():
        if isinstance(layer, nn.Linear):
            blocks.append(Block(name=f"{name}.{place}", linear=layer))
        else:
            last = blocks.pop()
            blocks.append(Block(name=last.name, linear=last.linear, activation=layer))
    return blocks


def _stages(blocks: Sequence[Block], networks: Networks) -> Iterator[nn.Module]:
    waiting: list[Any] = []  # layers of one kind, that will be one call
    for block in blocks:
        layer = _layer(block, networks)
        if waiting and type(layer) is not type(waiting[0]):
            yield PackedLayers(waiting)
            waiting = []
        if isinstance(layer, HalfLinear):
            yield layer
        else:
            waiting.append(layer)
        if block.activation is not None and block.is_bent:
            if waiting:
                yield PackedLayers(waiting)
                waiting = []
            yield _activation(block.activation)
    if waiting:
        yield PackedLayers(waiting)


def _layer(block: Block, networks: Networks) -> HalfLinear | Fp32Layer | Int8Layer:
    linear, relu = block.linear, isinstance(block.activation, nn.ReLU)
    taken = networks.inputs.get(block.name)
    if taken is not None:
        return quantized_layer(linear, taken, relu=relu)
    # A single output costs next to nothing, and is mostly a logit.
    if networks.precision == "bf16" and linear.out_features > 1:
        return HalfLinear(linear.weight, linear.bias, relu=relu)
    return fp32_layer(linear.weight, linear.bias, relu=relu)


def _activation(activation: nn.Module) -> nn.Module:
    return PackedDice(activation) if isinstance(activation, Dice) else InFloat32(activation)


class InFloat32(nn.Module):
    """An activation of float32 numbers after a layer of fewer bits."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x_BH: Tensor) -> Tensor:
        """Map (B, H) to (B, H) float32."""
        out: Tensor = self.activation(x_BH.float())
        return out
