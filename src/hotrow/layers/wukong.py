"""Wukong's layer: a factorisation-machine block beside a linear compression (arXiv 2403.02545, section 3).

Shapes: B batch, V vectors of width D in, R rank, A vectors of the factorisation machine and C compressed
ones out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hotrow.layers.initial import xavier_normal
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters


class LinearCompress(nn.Module):
    """Linear recombinations of V vectors, W X, W being (outputs, V); several in one product.

    Args:
        vectors: V.
        outputs: vectors of each recombination.
        generator: source of the initial weights, ``xavier_normal`` for each recombination.
    """

    def __init__(self, vectors: int, outputs: Sequence[int], *, generator: torch.Generator) -> None:
        super().__init__()
        self.outputs = [*outputs]
        self.weight = nn.Parameter(
            torch.cat([xavier_normal((count, vectors), generator) for count in outputs])
        )

    def forward(self, x_BVD: Tensor) -> Sequence[Tensor]:
        """Map (B, V, D) to (B, outputs, D) for each recombination."""
        # torch.matmul(W, X) would copy X or not by whether W requires a gradient, with other last bits.
        _, V, D = x_BVD.shape
        y = F.linear(x_BVD.mT.reshape(-1, V), self.weight).view(-1, D, sum(self.outputs))
        return torch.split(y.mT, self.outputs, dim=1)


class FactorisationBlock(nn.Module):
    """All dot products of V vectors, of low rank, through a network: MLP(LN(flatten(X (X^T Y)))).

    X X^T, (V, V), is never made: Y, (V, R), projects its columns first, for V D R multiply-adds instead of
    V V D. Y is learnt; the paper's further variant that computes it from X is not here.

    Args:
        vectors: V.
        width: D.
        rank: R.
        hidden: widths of the network's inner layers.
        outputs: A.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        vectors: int,
        width: int,
        rank: int,
        hidden: Sequence[int],
        outputs: int,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(vectors * rank)
        self.mlp = MLP((vectors * rank, *hidden, outputs * width), activate_last=False, generator=generator)
        self.outputs, self.width = outputs, width

    def forward(self, x_BVD: Tensor, projected_BRD: Tensor) -> Tensor:
        """Map (B, V, D), and Y^T X of it, to (B, A, D)."""
        dots_BVR = torch.bmm(x_BVD, projected_BRD.mT)
        y: Tensor = self.mlp(self.norm(dots_BVR.flatten(1)))
        return y.view(-1, self.outputs, self.width)


class WukongLayer(nn.Module):
    """X' = LN([FMB(X), LCB(X)] + residual(X)), (B, A + C, D).

    The residual is X itself where A + C = V, otherwise a linear recombination of it.

    Args:
        vectors: V.
        width: D.
        rank: R.
        hidden: widths of the inner layers of the factorisation block's network.
        outputs: A and C.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        vectors: int,
        width: int,
        rank: int,
        hidden: Sequence[int],
        outputs: tuple[int, int],
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        machine, compressed = outputs
        self.mix = LinearCompress(
            vectors, (rank, compressed, _recombined(vectors, outputs)), generator=generator
        )
        self.machine = FactorisationBlock(vectors, width, rank, hidden, machine, generator=generator)
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BVD: Tensor) -> Tensor:
        """Map (B, V, D) to (B, A + C, D)."""
        projected, compressed, kept = self.mix(x_BVD)
        y = torch.cat([self.machine(x_BVD, projected), compressed], dim=1)
        z: Tensor = self.norm(y + (kept if kept.shape[1] else x_BVD))
        return z


def wukong_layer_facts(
    vectors: int, width: int, rank: int, hidden: Sequence[int], outputs: tuple[int, int]
) -> tuple[int, int]:
    """Return parameters, and FLOP of one example's matrix products, of a layer."""
    sizes = (vectors * rank, *hidden, outputs[0] * width)
    mixed = vectors * (rank + outputs[1] + _recombined(vectors, outputs))
    parameters = mixed + mlp_parameters(sizes) + 2 * vectors * rank + 2 * width
    return parameters, 2 * width * (mixed + vectors * rank) + mlp_flop(sizes)


def _recombined(vectors: int, outputs: tuple[int, int]) -> int:
    """Return how many vectors the residual must be recombined to; 0 where it is X itself."""
    return 0 if sum(outputs) == vectors else sum(outputs)
