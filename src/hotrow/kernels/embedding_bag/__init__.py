"""Sum-pooled lookup in T tables, and its backward fused with the tables' optimizer.

Contract: bags are (B, T) ids (one per bag) or table-major ``Jagged``; offsets are int64; an empty
bag gives zeros; an id outside its table is an IndexError that names table and id, before anything
is written. Gradients of a row are summed over the whole batch before its one update, and the result
has the same bits whatever the number of threads. ``reference`` takes any floating dtype; ``cpu``
takes float32.
"""

from hotrow.kernels.embedding_bag._op import OPERATOR, backward_update, embedding_bag
from hotrow.kernels.embedding_bag._types import Bags, OptimizerKind, Update
from hotrow.kernels.embedding_bag.autograd import fused_embedding_bag, sparse_embedding_bag

__all__ = [
    "OPERATOR",
    "Bags",
    "OptimizerKind",
    "Update",
    "backward_update",
    "embedding_bag",
    "fused_embedding_bag",
    "sparse_embedding_bag",
]
