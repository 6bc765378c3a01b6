"""A batch in pieces, whose gradients are added up: the memory of a small batch, the step of a large one.

Shapes: B batch, M list features, L listed ids.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from hotrow.types import Batch, Jagged


def pieces(batch: Batch, count: int) -> Iterator[Batch]:
    """Yield consecutive rows of a batch, as views where they are; sizes differ by one row at most.

    Args:
        batch: B rows.
        count: how many pieces; of fewer rows, a piece for each.
    """
    B = len(batch)
    for number in range(count):
        start, stop = B * number // count, B * (number + 1) // count
        if start < stop:
            yield _rows(batch, start, stop)


def _rows(batch: Batch, start: int, stop: int) -> Batch:
    here = slice(start, stop)
    return Batch(
        dense=batch.dense[here],
        ids=batch.ids[here],
        labels=None if batch.labels is None else batch.labels[here],
        lists=None if batch.lists is None else _lists(batch.lists, len(batch), here),
        groups=None if batch.groups is None else batch.groups[here],
    )


def _lists(lists: Jagged, B: int, here: slice) -> Jagged:
    """Return the bags of some of B examples, feature-major as they are."""
    ends = lists.offsets[1:].view(-1, B)[:, here]
    begins = lists.offsets[:-1].view(-1, B)[:, here]
    offsets = torch.zeros(ends.numel() + 1, dtype=torch.int64)
    torch.cumsum((ends - begins).reshape(-1), dim=0, out=offsets[1:])
    stretches = [slice(*pair) for pair in zip(begins[:, 0].tolist(), ends[:, -1].tolist(), strict=True)]
    weights = lists.weights
    return Jagged(
        torch.cat([lists.ids[stretch] for stretch in stretches]),
        offsets,
        None if weights is None else torch.cat([weights[stretch] for stretch in stretches]),
    )
