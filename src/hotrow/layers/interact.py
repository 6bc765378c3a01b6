"""DLRM's dot interaction (arXiv 1906.00091, section 2.1.3).

Shapes: B batch, F feature vectors, D their width, P = F (F - 1) / 2 pairs.
"""

from __future__ import annotations

from torch import Tensor, nn

from hotrow.kernels.dispatch import Backend
from hotrow.kernels.interact import dot_interaction, num_pairs

__all__ = ["DotInteraction", "num_pairs"]


class DotInteraction(nn.Module):
    """Dot products of all pairs of feature vectors, beside the dense vector.

    For Z = X X^T the output is ``[x_0, Z_10, Z_20, Z_21, Z_30, ...]``: the first vector (the bottom
    network's output) and the lower triangle of Z without its diagonal, row by row.

    Args:
        num_vectors: F, the dense vector included.
        backend: which implementation of ``hotrow.kernels.interact`` runs.
    """

    def __init__(self, num_vectors: int, *, backend: Backend = "auto") -> None:
        super().__init__()
        self.num_vectors = num_vectors
        self.backend: Backend = backend

    def forward(self, x_BFD: Tensor) -> Tensor:
        """Map (B, F, D) to (B, D + P).

        Raises:
            ValueError: x has another number of vectors, or is not what the backend takes.
        """
        if x_BFD.ndim != 3 or x_BFD.shape[1] != self.num_vectors:
            raise ValueError(f"x: got shape {tuple(x_BFD.shape)}, expected (B, {self.num_vectors}, D)")
        return dot_interaction(x_BFD, backend=self.backend)

    def extra_repr(self) -> str:
        """Return what ``print`` shows."""
        return f"{self.num_vectors}, backend={self.backend!r}"
