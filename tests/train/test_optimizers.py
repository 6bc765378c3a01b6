from __future__ import annotations

import pytest
import torch

from hotrow.train.config import DenseOptimizerConfig, DenseOptimizerKind
from hotrow.train.optimizers import (
    build_optimizer,
    load_optimizer_tensors,
    optimizer_tensors,
    set_learning_rate,
)

Network = torch.nn.Sequential


def _network() -> Network:
    torch.manual_seed(0)
    return Network(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))


def _step(network: Network, optimizer: torch.optim.Optimizer, seed: int) -> None:
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    network(inputs).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("sgd", torch.optim.SGD),
        ("adagrad", torch.optim.Adagrad),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
    ],
)
def test_state_goes_on_where_it_was(kind: DenseOptimizerKind, cls: type[torch.optim.Optimizer]) -> None:
    config = DenseOptimizerConfig(kind=kind, lr=0.1, weight_decay=0.01)
    network, other = _network(), _network()
    optimizer = build_optimizer(config, network.named_parameters())
    assert type(optimizer) is cls
    for seed in range(3):
        _step(network, optimizer, seed)
    state = {
        name: tensor.clone()
        for name, tensor in optimizer_tensors(optimizer, network.named_parameters()).items()
    }
    other.load_state_dict(network.state_dict())
    resumed = build_optimizer(config, other.named_parameters())
    load_optimizer_tensors(resumed, other.named_parameters(), state)
    for seed in range(3, 6):
        _step(network, optimizer, seed)
        _step(other, resumed, seed)
    for mine, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_names_say_parameter_and_kind() -> None:
    network = _network()
    optimizer = build_optimizer(DenseOptimizerConfig(kind="adam"), network.named_parameters())
    assert optimizer_tensors(optimizer, network.named_parameters()) == {}
    _step(network, optimizer, 0)
    names = optimizer_tensors(optimizer, network.named_parameters()).keys()
    assert {"0.weight/exp_avg", "0.weight/exp_avg_sq", "0.weight/step"} <= names


def test_a_tensor_of_no_parameter_is_refused() -> None:
    network = _network()
    optimizer = build_optimizer(DenseOptimizerConfig(), network.named_parameters())
    with pytest.raises(KeyError):
        load_optimizer_tensors(optimizer, network.named_parameters(), {"9.weight/step": torch.zeros(1)})


def test_the_rate_is_set_in_every_group() -> None:
    optimizer = build_optimizer(DenseOptimizerConfig(), _network().named_parameters())
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25]
