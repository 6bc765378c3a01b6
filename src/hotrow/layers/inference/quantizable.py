"""Which layers of a model can be int8, and which should be."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from hotrow.layers.attention import ActivationUnit
from hotrow.layers.cross import CrossNetwork
from hotrow.layers.inference.chain import Block, blocks_of
from hotrow.layers.inference.interactions import cross_blocks
from hotrow.layers.mlp import MLP

LEAST_WEIGHTS = 1024
"""Of a layer that is worth quantising: with fewer, the call costs more than the products."""


def quantizable_layers(model: nn.Module) -> dict[str, nn.Linear]:
    """Return the layers that can be int8, by name: those of ``MLP`` and of ``CrossNetwork``.

    Args:
        model: with its layers of training.
    """
    return {block.name: block.linear for blocks in _chains(model, "") for block in blocks}


def layers_to_quantize(model: nn.Module) -> dict[str, nn.Linear]:
    """Return the layers that are made int8, by name.

    They have at least ``LEAST_WEIGHTS`` weights and more than one output, and no activation of their network
    is other than ReLU, which would have to leave the 8 bits and come back.

    Args:
        model: with its layers of training.
    """
    return {
        block.name: block.linear
        for blocks in _chains(model, "")
        if not any(block.is_bent for block in blocks)
        for block in blocks
        if block.linear.out_features > 1 and block.linear.weight.numel() >= LEAST_WEIGHTS
    }


def _chains(module: nn.Module, prefix: str) -> Iterator[list[Block]]:
    for place, child in module.named_children():
        name = prefix + place
        match child:
            case MLP():
                yield blocks_of(child.layers, f"{name}.layers")
            case CrossNetwork():
                for number, cross in child.crosses.named_children():
                    yield cross_blocks(cross, f"{name}.crosses.{number}")
            case ActivationUnit():
                continue
            case _:
                yield from _chains(child, f"{name}.")
