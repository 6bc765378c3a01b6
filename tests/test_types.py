from __future__ import annotations

import torch

from hotrow.types import Batch, Jagged


def _batch() -> Batch:
    lists = Jagged(torch.tensor([1, 2, 3]), torch.tensor([0, 1, 3]))
    return Batch(torch.ones(2, 3), torch.zeros(2, 1, dtype=torch.int32), lists=lists)


def test_a_batch_that_is_there_already_is_not_copied() -> None:
    batch = _batch()
    assert batch.to("cpu") is batch


def test_a_batch_moves_with_all_that_it_has() -> None:
    moved = _batch().to("meta")
    assert moved.dense.device.type == moved.ids.device.type == "meta"
    assert moved.lists is not None
    assert moved.lists.ids.device.type == moved.lists.offsets.device.type == "meta"
    assert moved.lists.weights is None
    assert moved.labels is None
    assert moved.dense.shape == (2, 3)
