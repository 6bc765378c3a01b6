"""Lookup in T tables by F features, pooled or not, and its backward fused with the optimizer.

Contract: ids are (B, F), one per bag, or feature-major with offsets; an empty bag gives zeros; an id
outside its table is an IndexError that names feature, place and id, before anything is written. The
gradients of a row are summed over the whole batch before its one step, and results have the same bits
whatever the number of threads. ``reference`` runs anywhere and takes float64 too; ``cpu`` takes tables
in host memory; ``triton`` tables on a GPU.
"""

from hotrow.kernels.embedding_bag import library
from hotrow.kernels.embedding_bag._backends import OPERATOR
from hotrow.kernels.embedding_bag._op import backward_update, embedding_bag, weights_gradient
from hotrow.kernels.embedding_bag._types import (
    ROW_STATES,
    STATES,
    Bags,
    DecayKind,
    Embedded,
    FeatureSpec,
    Layout,
    OptimizerKind,
    Pooling,
    States,
    TableSpec,
    Update,
)
from hotrow.kernels.embedding_bag._verify import make_checksums, verify_lookup
from hotrow.kernels.embedding_bag.autograd import fused_embedding_bag, sparse_embedding_bag

__all__ = [
    "OPERATOR",
    "ROW_STATES",
    "STATES",
    "Bags",
    "DecayKind",
    "Embedded",
    "FeatureSpec",
    "Layout",
    "OptimizerKind",
    "Pooling",
    "States",
    "TableSpec",
    "Update",
    "backward_update",
    "embedding_bag",
    "fused_embedding_bag",
    "library",
    "make_checksums",
    "sparse_embedding_bag",
    "verify_lookup",
    "weights_gradient",
]
