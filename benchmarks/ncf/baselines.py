"""What NCF must be measured by: popularity, and implicit ALS of the package ``implicit``."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.ncf.judge import Candidates

ALS = {"factors": 192, "regularization": 60.0, "alpha": 5.0, "iterations": 12}
"""Chosen on the validation split. Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit
Feedback Datasets", ICDM 2008."""


def popularity(train: Candidates, wanted: Candidates) -> NDArray[np.int64]:
    """Return how often the item of each wanted row is chosen in training."""
    size = 1 + max(int(train.items.max()), int(wanted.items.max()))
    counts: NDArray[np.int64] = np.bincount(train.items, minlength=size)[wanted.items]
    return counts


def implicit_als(train: Candidates, wanted: list[Candidates], *, seed: int) -> list[NDArray[np.float32]]:
    """Factorise the training pairs; return the scores of the wanted rows."""
    size = [1 + max(int(part.max()) for part in parts) for parts in _columns([train, *wanted])]
    ones = np.ones(len(train.users), np.float32)
    pairs = scipy.sparse.csr_matrix((ones, (train.users, train.items)), shape=size)
    model = AlternatingLeastSquares(**ALS, random_state=seed, dtype=np.float32)
    with threadpool_limits(1, "blas"):  # the package has threads of its own
        model.fit(pairs, show_progress=False)
    return [
        np.einsum("bd,bd->b", model.user_factors[rows.users], model.item_factors[rows.items])
        for rows in wanted
    ]


def _columns(parts: list[Candidates]) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]]:
    return [part.users for part in parts], [part.items for part in parts]
