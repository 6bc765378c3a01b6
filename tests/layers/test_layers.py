from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hotrow.layers import MLP, DotInteraction
from hotrow.layers.interact import num_pairs
from hotrow.layers.mlp import mlp_flop, mlp_parameters


def make_mlp(sizes: tuple[int, ...], *, activate_last: bool, seed: int = 0) -> MLP:
    return MLP(sizes, activate_last=activate_last, generator=torch.Generator().manual_seed(seed))


def linear(mlp: MLP, index: int) -> nn.Linear:
    layer = mlp.layers[index]
    assert isinstance(layer, nn.Linear)
    return layer


def test_mlp_is_relu_of_linear_layers() -> None:
    mlp = make_mlp((3, 5, 2), activate_last=False)
    first, second = linear(mlp, 0), linear(mlp, 2)
    x = torch.randn(7, 3)
    expected = (x @ first.weight.T + first.bias).relu() @ second.weight.T + second.bias
    torch.testing.assert_close(mlp(x), expected)
    torch.testing.assert_close(make_mlp((3, 5, 2), activate_last=True)(x), expected.relu())


def test_mlp_starts_as_dlrm() -> None:
    mlp = make_mlp((400, 300), activate_last=False)
    layer = linear(mlp, 0)
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / 700), rel=0.02)
    assert layer.bias.std().item() == pytest.approx(math.sqrt(1 / 300), rel=0.15)


def test_mlp_start_depends_on_the_generator_only() -> None:
    before = torch.get_rng_state()
    first, second = make_mlp((4, 3), activate_last=True, seed=1), make_mlp((4, 3), activate_last=True, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(linear(first, 0).weight, linear(second, 0).weight)
    other = make_mlp((4, 3), activate_last=True, seed=2)
    assert not torch.equal(linear(first, 0).weight, linear(other, 0).weight)


def test_mlp_counts() -> None:
    sizes = (13, 8, 4)
    assert mlp_parameters(sizes) == sum(p.numel() for p in make_mlp(sizes, activate_last=True).parameters())
    assert mlp_flop(sizes) == 2 * (13 * 8 + 8 * 4)


@pytest.mark.parametrize(("batch", "vectors", "width"), [(1, 2, 1), (5, 4, 3), (33, 27, 16), (0, 3, 2)])
def test_interaction_is_all_pairs_row_by_row(batch: int, vectors: int, width: int) -> None:
    x = torch.randn(batch, vectors, width, dtype=torch.float64)
    out = DotInteraction(vectors, backend="reference")(x)
    torch.testing.assert_close(DotInteraction(vectors)(x.float()).double(), out, rtol=1e-5, atol=1e-5)
    pairs = [(x[:, i] * x[:, j]).sum(1) for i in range(vectors) for j in range(i)]
    torch.testing.assert_close(out, torch.cat([x[:, 0], torch.stack(pairs, dim=1)], dim=1))
    assert out.shape[1] == width + num_pairs(vectors)


def test_interaction_gradient() -> None:
    x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(DotInteraction(4, backend="reference"), (x,))


def test_interaction_of_another_number_of_vectors_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x: got shape \(2, 3, 5\), expected \(B, 4, D\)"):
        DotInteraction(4)(torch.zeros(2, 3, 5))


def test_biases_may_start_at_zero_without_changing_the_weights() -> None:
    plain, zero = (
        MLP((9, 5, 1), activate_last=False, generator=torch.Generator().manual_seed(3), zero_bias=flag)
        for flag in (False, True)
    )
    first, second = (layer for layer in zero.layers if isinstance(layer, torch.nn.Linear))
    assert not first.bias.any()
    assert not second.bias.any()
    assert torch.equal(first.weight, linear(plain, 0).weight)
    assert linear(plain, 0).bias.any()
