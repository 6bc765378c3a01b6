from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from hotrow.layers.dice import Activation, Dice, activation_parameters, make_activation
from hotrow.layers.mlp import MLP, mlp_parameters


def test_is_the_papers_formula() -> None:
    dice = Dice(3).double()
    dice.alpha.data.uniform_(-1, 1)
    x = torch.randn(50, 3, dtype=torch.float64) * 2 + 1
    p = torch.sigmoid((x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-8).sqrt())
    torch.testing.assert_close(dice(x), p * x + (1 - p) * dice.alpha * x)


def test_evaluates_with_moving_averages() -> None:
    dice = Dice(2)
    batches = [torch.randn(40, 2) * 3 + 5 for _ in range(60)]
    for batch in batches:
        dice(batch)
    torch.testing.assert_close(dice.running_mean, torch.full((2,), 5.0), rtol=0.1, atol=0)
    dice.eval()
    together = dice(batches[0])
    torch.testing.assert_close(torch.cat([dice(batches[0][:1]), dice(batches[0][1:])]), together)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_for_a_variance_move_nothing(rows: int) -> None:
    dice = Dice(2)
    dice(torch.randn(9, 2))
    before = {name: tensor.clone() for name, tensor in dice.state_dict().items()}
    x = torch.randn(rows, 2)
    trained = dice(x)
    torch.testing.assert_close(dice.eval()(x), trained)
    for name, tensor in dice.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_state_holds_real_numbers_only() -> None:
    assert {name: tensor.dtype for name, tensor in Dice(2).state_dict().items()} == {
        "alpha": torch.float32,
        "running_mean": torch.float32,
        "running_var": torch.float32,
    }


@pytest.mark.parametrize("kind", get_args(Activation))
def test_choice(kind: Activation) -> None:
    activation = make_activation(kind, 5)
    assert activation_parameters(kind, (5,)) == sum(p.numel() for p in activation.parameters())
    x = torch.randn(20, 5)
    torch.testing.assert_close(activation(x.abs() + 100 * (kind == "dice")).sign(), torch.ones(20, 5))
    generator = torch.Generator().manual_seed(0)
    mlp = MLP((4, 3, 2, 1), activate_last=False, generator=generator, activation=kind)
    assert mlp_parameters((4, 3, 2, 1), kind) == sum(p.numel() for p in mlp.parameters())
    assert isinstance(mlp.last, nn.Linear)
    assert mlp.last.out_features == 1
