from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hotrow.layers.cross import CrossNetwork, cross_flop, cross_parameters


def make(width: int, layers: int, rank: int | None, seed: int = 0) -> CrossNetwork:
    return CrossNetwork(width, layers, rank, generator=torch.Generator().manual_seed(seed))


def crossed(network: CrossNetwork, x: Tensor) -> Tensor:
    """Cross as the paper's formula has it, in float64, element by element."""
    weights = [value.detach().double() for value in network.parameters()]
    size = len(weights) // len(network.crosses)
    y = x.double()
    for start in range(0, len(weights), size):
        *matrices, bias = weights[start : start + size]
        product = y
        for matrix in matrices:
            product = product @ matrix.T
        y = x.double() * (product + bias) + y
    return y


@pytest.mark.parametrize(("batch", "width", "layers", "rank"), [(5, 7, 1, 2), (3, 13, 3, 4), (4, 6, 2, None)])
def test_is_the_formula(batch: int, width: int, layers: int, rank: int | None) -> None:
    network, x = make(width, layers, rank), torch.randn(batch, width)
    for parameter in network.parameters():  # biases start at 0
        nn.init.normal_(parameter)
    torch.testing.assert_close(network(x).double(), crossed(network, x), rtol=1e-5, atol=1e-4)


def test_gradient() -> None:
    network = make(4, 2, 3).double()
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, (x,))


@pytest.mark.parametrize("rank", [3, None])
def test_counts(rank: int | None) -> None:
    network = make(11, 2, rank)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert cross_parameters(11, 2, rank) == parameters
    assert cross_flop(11, 2, rank) == 2 * parameters  # a multiply-add for each weight and for each bias


def test_start_depends_on_the_generator_only() -> None:
    before = torch.get_rng_state()
    first, second, other = make(5, 2, 2, seed=1), make(5, 2, 2, seed=1), make(5, 2, 2, seed=2)
    assert torch.equal(before, torch.get_rng_state())
    x = torch.randn(3, 5)
    assert torch.equal(first(x), second(x))
    assert not torch.equal(first(x), other(x))


def test_takes_bfloat16_products_of_autocast() -> None:
    network, x = make(16, 2, 4), torch.randn(8, 16)
    with torch.autocast("cpu", torch.bfloat16):
        out = network(x)
    torch.testing.assert_close(out.float(), network(x), rtol=0.05, atol=0.05)
