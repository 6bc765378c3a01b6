"""The operator and its implementations, imported when first used."""

from __future__ import annotations

from hotrow.kernels.dispatch import Operator
from hotrow.kernels.embedding_bag._types import Implementation


def _load_reference() -> Implementation:
    from hotrow.kernels.embedding_bag import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.embedding_bag import cpu

    return cpu


def _load_triton() -> Implementation:
    from hotrow.kernels.embedding_bag import triton

    return triton


OPERATOR: Operator[Implementation] = Operator(
    "embedding_bag", {"reference": _load_reference, "cpu": _load_cpu, "triton": _load_triton}
)
