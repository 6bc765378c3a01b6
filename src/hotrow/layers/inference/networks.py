"""In which numbers networks are computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Precision = Literal["fp32", "bf16", "int8"]
"""Of weights and of what passes between layers; logits are float32 in each."""


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How real numbers become 8 bits: x is about scale * (q - zero_point), q in 0 ... 255.

    Attributes:
        scale: positive and finite.
        zero_point: the q of 0, so that zeros stay exact.
    """

    scale: float
    zero_point: int


@dataclass(frozen=True, kw_only=True)
class Networks:
    """In which numbers the networks of a model are computed.

    Attributes:
        precision: ``int8`` means that the layers in ``inputs`` are; the others are fp32.
        inputs: how the inputs of int8 layers are quantised, by the layer's name in the model.
    """

    precision: Precision = "fp32"
    inputs: Mapping[str, Quantization] = field(default_factory=dict)
