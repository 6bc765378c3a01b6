"""The loss of a model of one or more tasks.

Shapes: B batch, K tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hotrow.errors import ConfigError
from hotrow.train.config import LabelWeights
from hotrow.train.tasks import require_logit_each


class TaskLoss:
    """Binary cross-entropy of every task, summed over examples, and their weighted sum.

    Args:
        tasks: names of the K tasks.
        weights: of the tasks' losses; empty for all 1.
        label_weights: what an example counts by its label.

    Raises:
        ConfigError: there are more or fewer weights than tasks.
    """

    def __init__(
        self, tasks: Sequence[str], weights: Sequence[float], label_weights: LabelWeights | None = None
    ) -> None:
        label_weights = label_weights or LabelWeights()
        self._tasks = tuple(tasks)
        self._weights = self._of_each("task_weights", weights)
        positive = self._of_each("label_weights.positive", label_weights.positive)
        negative = self._of_each("label_weights.negative", label_weights.negative)
        self._by_label: tuple[Tensor, Tensor] | None = None
        if positive is not None or negative is not None:
            ones = torch.ones(len(tasks))
            self._by_label = (ones if negative is None else negative, ones if positive is None else positive)

    def __call__(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the loss to be minimised, and what each task contributes before it is weighted.

        Args:
            logits: (B,), or (B, K) of K > 1 tasks.
            labels: likewise, of 0 and 1.

        Returns:
            Both summed over the examples: a scalar, and (K,) without gradient, None for one task. Examples
            count by their labels in both.

        Raises:
            ConfigError: the model has another number of logits than tasks.
        """
        require_logit_each(self._tasks, logits.shape, labels.shape)
        counts = None
        if self._by_label is not None:
            negative_K, positive_K = self._by_label
            counts = torch.where(labels != 0, positive_K, negative_K)
        if logits.dim() == 1:
            loss = F.binary_cross_entropy_with_logits(logits, labels, counts, reduction="sum")
            return loss if self._weights is None else loss * self._weights[0], None
        losses_BK = F.binary_cross_entropy_with_logits(logits, labels, counts, reduction="none")
        losses_K = losses_BK.sum(dim=0)
        weighted_K = losses_K if self._weights is None else losses_K * self._weights
        return weighted_K.sum(), losses_K.detach()

    def _of_each(self, field: str, weights: Sequence[float]) -> Tensor | None:
        """Return the weights of the K tasks; None where all are 1."""
        if weights and len(weights) != len(self._tasks):
            expected = f"one number for each of the tasks {', '.join(self._tasks)}, or none"
            raise ConfigError(field, list(weights), expected)
        return torch.tensor(list(weights)) if set(weights) - {1.0} else None
