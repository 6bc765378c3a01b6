from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from hotrow.layers import relu_chain as chain
from hotrow.layers.mlp import MLP
from hotrow.layers.relu_chain import is_worth_it, relu_chain

SIZES = [(13, 5, 1), (367, 16, 8), (8, 8), (3, 1), (16, 24, 9, 7)]


def layers_of(sizes: tuple[int, ...], *, activate_last: bool) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*(layers if activate_last else layers[:-1])).double()


def linears_of(layers: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("activate_last", [False, True])
@pytest.mark.parametrize("wants_x", [False, True])
def test_output_and_gradients_are_those_of_the_layers(
    sizes: tuple[int, ...], activate_last: bool, wants_x: bool
) -> None:
    layers = layers_of(sizes, activate_last=activate_last)
    x, seen = (
        torch.randn(11, sizes[0], dtype=torch.double, requires_grad=wants_x),
        torch.randn(11, sizes[-1]).double(),
    )
    wanted = [*layers.parameters(), *([x] if wants_x else [])]
    y = layers(x)
    expected = torch.autograd.grad(y, wanted, seen)
    for rows in (x, x.repeat(1, 2)[:, : sizes[0]]):
        got = relu_chain(rows, linears_of(layers), activate_last=activate_last)
        torch.testing.assert_close(got, y)
        given = seen.clone()
        for _ in range(2):  # what was kept is as it was
            found = torch.autograd.grad(got, wanted, given, retain_graph=True)
            torch.testing.assert_close(found, expected)
        assert torch.equal(given, seen)


def test_numbers_that_are_none_are_handed_on() -> None:
    layers = layers_of((4, 3, 2), activate_last=False)
    x = torch.tensor([[torch.nan, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.double)
    got = relu_chain(x, linears_of(layers), activate_last=False)
    assert got[0].isnan().all()
    assert torch.equal(got[1], layers(x)[1])


def test_networks_take_it_for_many_rows_while_they_train(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def noted(x_BI: Tensor, linears: list[nn.Linear], *, activate_last: bool) -> Tensor:
        taken.append(len(x_BI))
        return relu_chain(x_BI, linears, activate_last=activate_last)

    monkeypatch.setattr("hotrow.layers.mlp.relu_chain", noted)
    for last in (False, True):
        network = MLP((3, 4, 2), activate_last=last, generator=torch.Generator().manual_seed(0))
        many, few = torch.randn(chain._LEAST_ROWS, 3), torch.randn(5, 3)
        torch.testing.assert_close(network(many), network.layers(many))
        network(few)
        with torch.no_grad():
            network(many)
        network.half_products = True
        network(many)
    bent = MLP((3, 4, 2), activate_last=False, generator=torch.Generator().manual_seed(0), activation="dice")
    bent(many)
    assert taken == [len(many)] * 2
    assert not is_worth_it(many.to("meta"))
