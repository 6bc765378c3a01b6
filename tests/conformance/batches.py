"""Random batches for any inputs, and parts of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.types import Batch, Inputs, Jagged


def make_batch(inputs: Inputs, size: int, *, seed: int = 0, longest: int = 6) -> Batch:
    """Draw examples, some with empty lists; sequences of one stated length are as long as one another."""
    generator = torch.Generator().manual_seed(seed)
    dense = torch.randn(size, inputs.num_dense, generator=generator)
    ids = torch.empty(size, len(inputs.names), dtype=torch.int32)
    for column, rows in enumerate(inputs.rows):
        ids[:, column] = torch.randint(0, rows, (size,), generator=generator)
    labels = (torch.rand(size, len(inputs.tasks), generator=generator) < 0.5).float()
    steps: dict[object, Tensor] = {}
    bags: list[list[Tensor]] = []
    for feature in inputs.lists:
        drawn = torch.randint(0, longest + 1, (size,), generator=generator)
        lengths = steps.setdefault(feature.length if feature.kind == "sequence" else feature.name, drawn)
        bags.append(
            [
                torch.randint(2, feature.rows, (length,), generator=generator, dtype=torch.int32)
                for length in lengths.tolist()
            ]
        )
    return Batch(dense, ids, labels if labels.shape[1] > 1 else labels[:, 0], lists=make_lists(bags))


def make_full_batch(inputs: Inputs, size: int, *, seed: int = 0) -> Batch:
    """Draw examples whose lists are as long as the inputs say."""
    batch = make_batch(inputs, size, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    bags = [
        torch.randint(f.rows, (size, f.length), generator=generator, dtype=torch.int32).unbind()
        for f in inputs.lists
    ]
    return Batch(batch.dense, batch.ids, batch.labels, lists=make_lists(bags))


def make_lists(bags: Sequence[Sequence[Tensor]]) -> Jagged | None:
    """Put B bags of each list feature side by side."""
    flat = [bag for of_feature in bags for bag in of_feature]
    if not bags:
        return None
    offsets = torch.tensor([0, *(bag.numel() for bag in flat)]).cumsum(0)
    return Jagged(torch.cat([torch.empty(0, dtype=torch.int32), *flat]), offsets)


def split_lists(batch: Batch) -> list[list[Tensor]]:
    """Return the bags of each list feature: what ``make_lists`` takes."""
    lists, size = batch.lists, len(batch)
    if lists is None or size == 0:
        return []
    bags = list(lists.ids.tensor_split(lists.offsets[1:-1]))
    return [bags[first : first + size] for first in range(0, len(bags), size)]


def take(batch: Batch, rows: Sequence[int]) -> Batch:
    """Return some rows of a batch, in this order."""
    index = torch.tensor(rows)
    return Batch(
        batch.dense[index],
        batch.ids[index],
        None if batch.labels is None else batch.labels[index],
        lists=make_lists([[bags[row] for row in rows] for bags in split_lists(batch)]),
    )
