from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from hotrow.layers.wukong import LinearCompress, WukongLayer, wukong_layer_facts


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normalised(x: Tensor) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()


def by_formula(layer: WukongLayer, x: Tensor) -> Tensor:
    """Compute X' as the paper has it, with the whole matrix of dot products of each example."""
    project, compress, residual = torch.split(layer.mix.weight, layer.mix.outputs)
    dots = torch.stack([vectors @ vectors.T @ project.T for vectors in x]).flatten(1)
    machine = layer.machine.mlp(normalised(dots)).reshape(len(x), -1, x.shape[2])
    kept = residual @ x if len(residual) else x
    return normalised(torch.cat([machine, compress @ x], dim=1) + kept)


@pytest.mark.parametrize(("vectors", "outputs"), [(7, (2, 3)), (5, (2, 3)), (1, (1, 1))])
@pytest.mark.parametrize("batch", [0, 1, 6])
def test_layer_is_the_formula(batch: int, vectors: int, outputs: tuple[int, int]) -> None:
    layer = WukongLayer(vectors, 4, 2, (6,), outputs, generator=generator()).double()
    x = torch.randn(max(batch, 1), vectors, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x[:batch]), by_formula(layer, x)[:batch])


def test_layer_gradient() -> None:
    layer = WukongLayer(3, 2, 2, (), (2, 2), generator=generator()).double()
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


def test_bits_do_not_depend_on_whether_weights_are_trained() -> None:
    compress = LinearCompress(33, (17, 5), generator=generator())
    x = torch.randn(64, 33, 16)
    trained = [y.detach() for y in compress(x)]
    assert all(map(torch.equal, trained, compress.requires_grad_(False)(x)))


@pytest.mark.parametrize(("vectors", "hidden"), [(7, ()), (5, (6, 9))])
def test_facts(vectors: int, hidden: tuple[int, ...]) -> None:
    layer = WukongLayer(vectors, 4, 2, hidden, (2, 3), generator=generator())
    parameters, flop = wukong_layer_facts(vectors, 4, 2, hidden, (2, 3))
    assert parameters == sum(parameter.numel() for parameter in layer.parameters())
    mixed = 2 + 3 + (5 if vectors != 5 else 0)  # rank, compressed, residual
    network = sum(2 * m * n for m, n in pairwise((vectors * 2, *hidden, 2 * 4)))
    assert flop == 2 * vectors * 4 * (mixed + 2) + network


def test_start_depends_on_the_generator_only() -> None:
    before = torch.get_rng_state()
    layers = [WukongLayer(5, 4, 2, (6,), (2, 2), generator=generator(seed)) for seed in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    first, same, other = (layer(torch.ones(1, 5, 4).cumsum(1)) for layer in layers)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
