"""From a batch to the ids of one lookup: every feature of a model at once.

One lookup for all features is one step of the tables' optimizer (``EmbeddingTables``), also where
features share a table.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hotrow.types import Batch, Jagged


def all_bags(batch: Batch, *, copies: int = 1) -> Tensor | Jagged:
    """Return the ids of the F categorical and the M list features, feature-major.

    Args:
        batch: B examples.
        copies: how many times the whole is repeated, for models that look every id up in more than
            one table.

    Returns:
        (B, F) ids where there are no list features and one copy; else copies * (F + M) features of B bags.
    """
    if batch.lists is None and copies == 1:
        return batch.ids
    (B, F), device = batch.ids.shape, batch.ids.device
    ids, ends, weights = batch.ids.t().reshape(-1), torch.arange(1, B * F + 1, device=device), None
    if batch.lists is not None:
        lists = batch.lists
        if lists.weights is not None:
            weights = torch.cat([torch.ones(B * F, device=device), lists.weights])
        ids = torch.cat([ids, lists.ids.to(ids.dtype)])
        ends = torch.cat([ends, lists.offsets[1:] + B * F])
    length = ids.shape[0]
    start = torch.zeros(1, dtype=torch.int64, device=device)
    offsets = torch.cat([start, *(ends + copy * length for copy in range(copies))])
    if copies > 1:
        ids = ids.repeat(copies)
        weights = None if weights is None else weights.repeat(copies)
    return Jagged(ids, offsets, weights)
