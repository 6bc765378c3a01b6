"""What the fused optimizer keeps from batch to batch, besides its states: learning rate and step."""

from __future__ import annotations

import math

import torch

from hotrow.embedding.config import TableOptimizerConfig
from hotrow.errors import ConfigError
from hotrow.kernels.embedding_bag import STATES, Update, library


class FusedOptimizer:
    """The optimizer of some tables.

    ``lr`` (float64) and ``step`` (int64), the number of steps taken, are tensors without dimensions, so
    that compiled code sees them change; they stay in host memory.

    Args:
        config: its kind and constants.
    """

    def __init__(self, config: TableOptimizerConfig) -> None:
        self.config = config
        self.states = STATES[config.kind]
        self.lr = torch.tensor(config.lr, dtype=torch.float64, device="cpu")
        self.step = torch.zeros((), dtype=torch.int64, device="cpu")
        self.text = library.optimizer_text(self.update())

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate from the next step on.

        Raises:
            ConfigError: it is negative, infinite or NaN.
        """
        if not 0 <= lr < math.inf:
            raise ConfigError("tables.lr", lr, "a finite number of at least 0")
        self.lr.fill_(lr)

    def update(self) -> Update:
        """Return the next step."""
        config = self.config
        return Update(
            kind=config.kind,
            lr=float(self.lr),
            eps=config.eps,
            beta1=config.beta1,
            beta2=config.beta2,
            weight_decay=config.weight_decay,
            decay=config.decay,
            clip_value=config.clip_value,
            clip_norm=config.clip_norm,
            step=int(self.step) + 1,
            stochastic=config.stochastic_rounding,
            seed=config.seed,
            check_finite=config.check_gradients,
        )

    def count_step(self) -> None:
        """Note that a step was taken."""
        self.step += 1
