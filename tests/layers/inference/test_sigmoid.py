from __future__ import annotations

import torch

from hotrow.layers.inference import sigmoid


def test_against_float64() -> None:
    x = torch.cat([torch.linspace(-90, 90, 1001), torch.tensor([0.0, -torch.inf, torch.inf])])
    torch.testing.assert_close(sigmoid(x).double(), torch.sigmoid(x.double()), rtol=3e-7, atol=1e-38)
    assert torch.equal(sigmoid(x.bfloat16()), sigmoid(x.bfloat16().float()))
    assert sigmoid(torch.tensor([torch.nan])).isnan().all()


def test_an_element_has_the_same_bits_wherever_it_stands() -> None:
    x = torch.randn(70_001, generator=torch.Generator().manual_seed(0)) * 5
    whole = sigmoid(x)
    for size in (1, 15, 33, 1000, 65_537):
        for first in range(0, min(len(x), 200 * size) - size, size):
            part = slice(first, first + size)
            assert torch.equal(sigmoid(x[part]), whole[part])
    beside = torch.stack([x, x], dim=1)
    assert torch.equal(sigmoid(beside[:, 0]), whole)
