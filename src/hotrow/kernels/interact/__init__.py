"""DLRM's dot interaction: dot products of all pairs of an example's vectors (arXiv 1906.00091, 2.1.3).

Contract: x (B, F, D) gives (B, D + P) with P = F (F - 1) / 2: x_0, then the lower triangle of X X^T
without its diagonal, row by row. Sums are in float32 for float32 and bfloat16; no (B, F, F) tensor is
made outside ``reference``. The result has the same bits whatever the number of threads; ``cpu`` may
differ in the last bits between instruction sets. ``reference`` takes any floating dtype, the others
float32 and bfloat16.

``torch.ops.hotrow.dot_interaction`` and ``torch.ops.hotrow.dot_interaction_backward`` are the same as
operators of torch, for ``torch.compile`` and ``torch.export``.
"""

from hotrow.kernels.interact import library  # noqa: F401  # registers the operators
from hotrow.kernels.interact._op import OPERATOR, dot_interaction
from hotrow.kernels.interact.reference import num_pairs

__all__ = ["OPERATOR", "dot_interaction", "num_pairs"]
