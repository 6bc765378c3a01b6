"""Layers that models share: networks and feature interactions."""

from hotrow.layers.interact import DotInteraction
from hotrow.layers.mlp import MLP

__all__ = ["MLP", "DotInteraction"]
