"""Which of a data set's labels a model learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from hotrow.errors import ConfigError
from hotrow.types import Batch


@dataclass(frozen=True, slots=True)
class TaskLabels:
    """Takes a model's labels out of batches.

    Attributes:
        names: of the model's tasks.
        columns: of the batches' labels, one for each task; None where these are the labels themselves.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...] | None

    def of(self, batch: Batch) -> Tensor:
        """Return the labels of a batch, shaped as the model's logits are: (B,), or (B, K) of K > 1 tasks."""
        labels = batch.labels
        assert labels is not None
        if self.columns is None:
            return labels
        return labels[:, self.columns[0]] if len(self.columns) == 1 else labels[:, self.columns]


def require_logit_each(tasks: Sequence[str], logits: Sequence[int], labels: Sequence[int]) -> None:
    """Check by their shapes that a model gives a logit for each label.

    Raises:
        ConfigError: the model has another number of logits than tasks.
    """
    if tuple(logits) != tuple(labels):
        found = 1 if len(logits) == 1 else logits[1]
        expected = f"as many labels as the model has logits, {found}"
        raise ConfigError("model.tasks", ", ".join(tasks), expected)


def task_labels(tasks: Sequence[str], labels: Sequence[str]) -> TaskLabels:
    """Find the labels of a model's tasks.

    Args:
        tasks: names of the labels that the model learns.
        labels: names of the labels that the data set has.

    Raises:
        ConfigError: a task has no label, is given twice, or there is none.
    """
    expected = f"one or more of the data set's labels {', '.join(labels)}"
    if not tasks or not set(tasks) <= set(labels):
        raise ConfigError("model.tasks", ", ".join(tasks), expected)
    if len(set(tasks)) < len(tasks):
        raise ConfigError("model.tasks", ", ".join(tasks), f"{expected}, each once")
    columns = tuple(labels.index(task) for task in tasks)
    return TaskLabels(tuple(tasks), None if columns == tuple(range(len(labels))) else columns)
