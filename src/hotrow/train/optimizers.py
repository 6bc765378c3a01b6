"""The networks' optimizer: building it, and its state as tensors by parameter name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from hotrow.train.config import DenseOptimizerConfig

NamedParameters = Iterable[tuple[str, nn.Parameter]]


def build_optimizer(config: DenseOptimizerConfig, parameters: NamedParameters) -> torch.optim.Optimizer:
    """Return the configured optimizer over the networks' parameters."""
    tensors = [parameter for _, parameter in parameters]
    lr, weight_decay = config.lr, config.weight_decay
    match config.kind:
        case "sgd":
            return torch.optim.SGD(tensors, lr=lr, weight_decay=weight_decay)
        case "adagrad":
            return torch.optim.Adagrad(tensors, lr=lr, weight_decay=weight_decay)
        case "adam":
            return torch.optim.Adam(tensors, lr=lr, weight_decay=weight_decay)
        case "adamw":
            return torch.optim.AdamW(tensors, lr=lr, weight_decay=weight_decay)


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def optimizer_tensors(optimizer: torch.optim.Optimizer, parameters: NamedParameters) -> dict[str, Tensor]:
    """Return the optimizer's state as ``<parameter name>/<what>`` -> tensor, not copied."""
    return {
        f"{name}/{key}": value
        for name, parameter in parameters
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_tensors(
    optimizer: torch.optim.Optimizer, parameters: NamedParameters, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what ``optimizer_tensors`` returned.

    Raises:
        KeyError: a tensor belongs to no parameter.
    """
    places = {name: index for index, (name, _) in enumerate(parameters)}
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter, _, key = name.rpartition("/")
        # Copied: the tensors may be views of a file, and torch keeps what it is given.
        state.setdefault(places[parameter], {})[key] = tensor.clone()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
