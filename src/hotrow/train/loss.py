"""The loss of a model of one or more tasks.

Shapes: B batch, K tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hotrow.errors import ConfigError
from hotrow.train.tasks import require_logit_each


class TaskLoss:
    """Binary cross-entropy of every task, summed over examples, and their weighted sum.

    Args:
        tasks: names of the K tasks.
        weights: of the tasks' losses; empty for all 1.

    Raises:
        ConfigError: there are more or fewer weights than tasks.
    """

    def __init__(self, tasks: Sequence[str], weights: Sequence[float]) -> None:
        if weights and len(weights) != len(tasks):
            expected = f"one number for each of the tasks {', '.join(tasks)}, or none"
            raise ConfigError("task_weights", list(weights), expected)
        self._tasks = tuple(tasks)
        self._weights = torch.tensor(list(weights)) if set(weights) - {1.0} else None

    def __call__(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the loss to be minimised, and what each task contributes before it is weighted.

        Args:
            logits: (B,), or (B, K) of K > 1 tasks.
            labels: likewise, of 0 and 1.

        Returns:
            Both summed over the examples: a scalar, and (K,) without gradient, None for one task.

        Raises:
            ConfigError: the model has another number of logits than tasks.
        """
        require_logit_each(self._tasks, logits.shape, labels.shape)
        if logits.dim() == 1:
            loss = F.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
            return loss if self._weights is None else loss * self._weights[0], None
        losses_K = F.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(dim=0)
        weighted_K = losses_K if self._weights is None else losses_K * self._weights
        return weighted_K.sum(), losses_K.detach()
