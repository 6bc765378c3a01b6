from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from hotrow.layers.bags import all_bags
from hotrow.types import Batch, Jagged

IDS = torch.tensor([[7, 1], [3, 2], [9, 0]], dtype=torch.int32)
LISTS = Jagged(
    torch.tensor([5, 6, 4, 8, 8], dtype=torch.int32),
    torch.tensor([0, 2, 2, 3, 3, 4, 5]),
    torch.tensor([0.5, 2.0, 1.5, 3.0, 0.25]),
)
BATCH = Batch(torch.zeros(3, 0), IDS, lists=LISTS)
EXPECTED = [[7], [3], [9], [1], [2], [0], [5, 6], [], [4], [], [8], [8]]
"""Both categorical features, then both lists, of each the three rows."""


def bags_of(found: Tensor | Jagged) -> list[list[int]]:
    assert isinstance(found, Jagged)
    return [bag.tolist() for bag in found.ids.tensor_split(found.offsets[1:-1])]


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_every_feature_in_its_place(copies: int) -> None:
    found = all_bags(BATCH, copies=copies)
    assert bags_of(found) == EXPECTED * copies
    assert isinstance(found, Jagged)
    assert found.offsets[-1] == found.ids.numel()
    assert found.ids.dtype == torch.int32
    assert found.weights is not None
    assert found.weights.tolist() == [*[1.0] * 6, 0.5, 2.0, 1.5, 3.0, 0.25] * copies


def test_without_lists() -> None:
    batch = replace(BATCH, lists=None)
    assert all_bags(batch) is IDS
    assert bags_of(all_bags(batch, copies=2)) == EXPECTED[:6] * 2


def test_without_categorical_features() -> None:
    assert bags_of(all_bags(replace(BATCH, ids=IDS[:, :0]))) == EXPECTED[6:]


def test_everything_is_made_on_the_batchs_device() -> None:
    lists = Jagged(LISTS.ids.to("meta"), LISTS.offsets.to("meta"), torch.ones(5, device="meta"))
    found = all_bags(Batch(BATCH.dense, IDS.to("meta"), lists=lists), copies=2)
    assert isinstance(found, Jagged)
    assert found.weights is not None
    assert {x.device.type for x in (found.ids, found.offsets, found.weights)} == {"meta"}
