"""Crosses, factorisation machines and linear terms as they are served.

Products with a vector are products of elements, summed row by row; they are too small for a packed layer to
pay. Shapes: B batch, W width of a crossed vector, N dense features, F features, V vectors, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hotrow.layers.cross import CrossNetwork
from hotrow.layers.fm import FactorisationMachine
from hotrow.layers.inference.chain import Block, Chain, blocks_of
from hotrow.layers.inference.linear import PackedLayers, packed_linear
from hotrow.layers.inference.networks import Networks
from hotrow.layers.linear import LinearTerm
from hotrow.layers.wukong import LinearCompress


class PackedCross(nn.Module):
    """A ``CrossNetwork``: its matrices in any precision, sums and products in float32."""

    def __init__(self, source: CrossNetwork, name: str, networks: Networks) -> None:
        super().__init__()
        self.crosses = nn.ModuleList(
            Chain(cross_blocks(cross, f"{name}.crosses.{place}"), networks)
            for place, cross in source.crosses.named_children()
        )

    def forward(self, x_BW: Tensor) -> Tensor:
        """Map (B, W) to (B, W)."""
        y_BW = x_BW
        for cross in self.crosses:
            y_BW = torch.addcmul(y_BW, x_BW, cross(y_BW))
        return y_BW


def cross_blocks(cross: nn.Module, name: str) -> list[Block]:
    """Return the blocks of one cross: one matrix, or two of low rank."""
    if isinstance(cross, nn.Linear):
        return [Block(name=name, linear=cross)]
    assert isinstance(cross, nn.Sequential)
    return blocks_of(cross, name)


class PackedLinearTerm(nn.Module):
    """A ``LinearTerm``."""

    def __init__(self, source: LinearTerm) -> None:
        super().__init__()
        self.weight = source.weight

    def forward(self, looked_up_BF: Tensor, dense_BN: Tensor) -> Tensor:
        """Map weights of ids (B, F) and dense features (B, N) to (B,)."""
        total = looked_up_BF.sum(dim=1)
        return total if self.weight is None else total.add_((dense_BN * self.weight).sum(dim=1))


class PackedMachine(nn.Module):
    """A ``FactorisationMachine``."""

    def __init__(self, source: FactorisationMachine) -> None:
        super().__init__()
        self.project: PackedLayers | None = None
        if source.vectors is not None:
            self.project = packed_linear(source.vectors.t(), None)
            self._squares_N = source.vectors.detach().square().sum(dim=1)

    def forward(self, x_BFD: Tensor, dense_BN: Tensor) -> Tensor:
        """Map (B, F, D) and (B, N) to (B,)."""
        total_BD, squares_B = x_BFD.sum(dim=1), x_BFD.square().sum(dim=(1, 2))
        if self.project is not None:
            total_BD = total_BD + self.project.forward(dense_BN)
            squares_B = squares_B + (dense_BN.square() * self._squares_N).sum(dim=1)
        return 0.5 * (total_BD.square().sum(dim=1) - squares_B)


class PackedCompress(nn.Module):
    """A ``LinearCompress``."""

    def __init__(self, source: LinearCompress) -> None:
        super().__init__()
        self.outputs = source.outputs
        self.mix = packed_linear(source.weight, None)

    def forward(self, x_BVD: Tensor) -> Sequence[Tensor]:
        """Map (B, V, D) to (B, outputs, D) for each recombination."""
        _, V, D = x_BVD.shape
        y = self.mix.forward(x_BVD.mT.reshape(-1, V)).view(-1, D, sum(self.outputs))
        return torch.split(y.mT, self.outputs, dim=1)
