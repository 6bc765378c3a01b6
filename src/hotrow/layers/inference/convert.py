"""From layers as they are trained to layers as they are served."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from hotrow.errors import BackendUnavailableError
from hotrow.layers.attention import ActivationUnit
from hotrow.layers.cross import CrossNetwork
from hotrow.layers.dice import Dice
from hotrow.layers.fm import FactorisationMachine
from hotrow.layers.gru import GRU
from hotrow.layers.inference import half
from hotrow.layers.inference.chain import Chain, blocks_of
from hotrow.layers.inference.dice import PackedDice
from hotrow.layers.inference.histories import PackedGRU, PackedUnit
from hotrow.layers.inference.interactions import PackedCompress, PackedCross, PackedLinearTerm, PackedMachine
from hotrow.layers.inference.linear import packed_linear
from hotrow.layers.inference.networks import Networks, Precision
from hotrow.layers.linear import LinearTerm
from hotrow.layers.mlp import MLP
from hotrow.layers.wukong import LinearCompress

Model = TypeVar("Model", bound=nn.Module)

FP32 = Networks()


def for_inference(model: Model, networks: Networks = FP32) -> Model:
    """Put layers for inference on a CPU into a model, in place, and return it.

    A row's logits then have the same bits whatever the number of rows and of threads. The new layers hold
    packed copies of the weights that the model has now; it can no longer be trained, nor its networks be
    saved.

    Args:
        model: in evaluation mode.
        networks: in which numbers ``MLP`` and ``CrossNetwork`` are computed; all else is float32.

    Raises:
        BackendUnavailableError: the networks are bf16, and cannot be computed so here.
        ValueError: a weight of an int8 layer is not a finite number.
    """
    if not can_compute(networks.precision):
        raise BackendUnavailableError(
            f"networks in {networks.precision}: this processor, or this torch, has no oneDNN kernels for it"
        )
    _replace_children(model, "", networks)
    return model


def can_compute(precision: Precision) -> bool:
    """Return whether networks can be computed so on this processor: bf16 needs AVX-512 or newer."""
    return precision != "bf16" or half.is_available()


def _replace_children(module: nn.Module, prefix: str, networks: Networks) -> None:
    for place, child in [*module.named_children()]:
        found = _served(child, prefix + place, networks)
        if found is None:
            _replace_children(child, f"{prefix}{place}.", networks)
        else:
            setattr(module, place, found)


def _served(module: nn.Module, name: str, networks: Networks) -> nn.Module | None:
    """Return what takes a module's place; None where only its children may have to be replaced."""
    match module:
        case MLP():
            return Chain(blocks_of(module.layers, f"{name}.layers"), networks)
        case CrossNetwork():
            return PackedCross(module, name, networks)
        case ActivationUnit():
            _replace_children(module.rest, f"{name}.rest.", FP32)
            return PackedUnit(module, module.rest)
        case GRU():
            return PackedGRU(module)
        case LinearCompress():
            return PackedCompress(module)
        case FactorisationMachine():
            return PackedMachine(module)
        case LinearTerm():
            return PackedLinearTerm(module)
        case Dice():
            return PackedDice(module)
        case nn.Linear():
            return packed_linear(module.weight, module.bias)
    return None
