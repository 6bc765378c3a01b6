"""The dot interaction, forward and backward, against plain PyTorch.

``gather`` is hotrow's reference: one batched product and one gather each way. ``plain`` is what a model
would write: ``bmm``, indices of the lower triangle, autograd. All contenders see the same tensors, one
after the other within each round; small batches are repeated within a round. Figures are medians over
the rounds, in microseconds per call; ``forward`` is without gradients, ``backward`` starts from a graph
that is there. ``dispatch`` is hotrow's forward through torch.library, as compiled code calls it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hotrow.kernels.interact import dot_interaction, num_pairs

VECTORS = 27
ROUNDS = 40
WARM_UP = 5
MOST_CALLS = 64  # in a round
EXAMPLES = 1024  # in a round, as far as that many calls go

Interaction = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """B examples of 27 vectors of width D."""

    width: int
    batch: int
    dtype: torch.dtype = torch.float32

    def __str__(self) -> str:
        kind = " bfloat16" if self.dtype == torch.bfloat16 else ""
        return f"F{VECTORS} D{self.width} B{self.batch}{kind}"


SHAPES = (
    *(Shape(width=width, batch=batch) for width in (16, 64, 128) for batch in (1, 128, 2048)),
    Shape(width=64, batch=2048, dtype=torch.bfloat16),
)


def run() -> dict[str, object]:
    """Time every shape."""
    return {str(shape): _measure(shape) for shape in SHAPES} | {"threads": torch.get_num_threads()}


def _measure(shape: Shape) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape.batch, VECTORS, shape.width, generator=generator).to(shape.dtype)
    grad = torch.randn(shape.batch, shape.width + num_pairs(VECTORS), generator=generator).to(shape.dtype)
    contenders: dict[str, Interaction] = {
        "hotrow": dot_interaction,
        "gather": lambda x: dot_interaction(x, backend="reference"),
        "plain": _plain(),
        "dispatch": lambda x: torch.ops.hotrow.dot_interaction(x),
    }
    repeats = max(1, min(MOST_CALLS, EXAMPLES // shape.batch))
    times: dict[str, list[float]] = {}
    for number in range(WARM_UP + ROUNDS):
        for name, interact in contenders.items():
            forward = _forward_us(interact, x, repeats)
            backward = _backward_us(interact, x, grad, repeats) if name != "dispatch" else None
            if number >= WARM_UP:
                times.setdefault(f"{name}_forward_us", []).append(forward)
                if backward is not None:
                    times.setdefault(f"{name}_backward_us", []).append(backward)
    return {name: statistics.median(values) for name, values in times.items()}


def _plain() -> Interaction:
    row_P, column_P = torch.tril_indices(VECTORS, VECTORS, offset=-1)

    def interact(x_BFD: Tensor) -> Tensor:
        z_BFF = torch.bmm(x_BFD, x_BFD.transpose(1, 2))
        return torch.cat([x_BFD[:, 0], z_BFF[:, row_P, column_P]], dim=1)

    return interact


@torch.no_grad()
def _forward_us(interact: Interaction, x: Tensor, repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        interact(x)
    return (time.perf_counter() - started) / repeats * 1e6


def _backward_us(interact: Interaction, x: Tensor, grad: Tensor, repeats: int) -> float:
    leaves = [x.detach().requires_grad_() for _ in range(repeats)]
    graphs = [interact(leaf) for leaf in leaves]
    started = time.perf_counter()
    for leaf, out in zip(leaves, graphs, strict=True):
        torch.autograd.grad(out, leaf, grad)
    return (time.perf_counter() - started) / repeats * 1e6
