from __future__ import annotations

import torch

from hotrow.layers.beside import beside


def test_parts_stand_side_by_side() -> None:
    a, b = torch.rand(3, 2), torch.rand(3, 4)
    assert torch.equal(beside(a, torch.empty(3, 0), b), torch.cat([a, b], dim=1))


def test_one_alone_is_not_copied() -> None:
    a = torch.rand(3, 2)
    assert beside(torch.empty(3, 0), a) is a
