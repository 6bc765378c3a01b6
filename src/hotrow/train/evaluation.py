"""Metrics of a model on a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hotrow.data.loader import Loader
from hotrow.metrics import Evaluation, MetricAccumulator, RankingAccumulator
from hotrow.metrics.ranking import DEFAULT_AT
from hotrow.models import Correction, RankingModel
from hotrow.train.tasks import TaskLabels, require_logit_each, task_labels
from hotrow.types import Batch

Floats = NDArray[np.float32]


def evaluate(
    model: RankingModel,
    loader: Loader,
    *,
    at: Sequence[int] | None = DEFAULT_AT,
    item: int | None = None,
    correction: Correction | None = None,
    on_batch: Callable[[int], None] | None = None,
    on_logits: Callable[[Floats, Floats], None] | None = None,
) -> Evaluation:
    """Return a model's metrics on the rows of a loader: of its first task, with those of all tasks.

    Args:
        model: put into evaluation mode meanwhile.
        loader: of labelled rows.
        at: lengths of the top lists that are judged where rows have groups; None for no ranking metrics,
            which hold 13 bytes for each row.
        item: the categorical feature, by its column, whose ids are the items of ``coverage``.
        correction: what makes the probabilities of the model's logits those of the data; None for nothing.
        on_batch: called after each batch with its number of rows; what it raises ends the evaluation.
        on_logits: called with the first task's labels (B,) and logits (B,) of each batch, both float32, the
            logits corrected.

    Raises:
        DivergedError: the model gives a logit that is not a finite number.
        ConfigError: the data set has no label for one of the model's tasks.
    """
    correction = correction or Correction()
    figures = _Figures(task_labels(model.tasks, loader.labels), at, item)
    training = model.training
    model.eval()
    try:
        with torch.inference_mode(), loader.epoch() as batches:
            for batch in batches:
                labels_B, logits_B = figures.add(batch, correction(model(batch)).numpy())
                if on_logits is not None:
                    on_logits(labels_B, logits_B)
                if on_batch is not None:
                    on_batch(len(batch))
    finally:
        model.train(training)
    return figures.result()


class _Figures:
    """Gathers what an evaluation reports."""

    def __init__(self, labels: TaskLabels, at: Sequence[int] | None, item: int | None) -> None:
        self._labels = labels
        self._at = at
        self._item = item
        self._tasks = [MetricAccumulator() for _ in labels.names]
        self._ranking: RankingAccumulator | None = None

    def add(self, batch: Batch, logits: Floats) -> tuple[Floats, Floats]:
        """Add a batch; return labels (B,) and logits (B,) of the first task."""
        labels: Floats = self._labels.of(batch).numpy()
        require_logit_each(self._labels.names, logits.shape, labels.shape)
        labels_KB, logits_KB = np.atleast_2d(labels.T), np.atleast_2d(logits.T)
        for metrics, labels_B, logits_B in zip(self._tasks, labels_KB, logits_KB, strict=True):
            metrics.update(labels_B, logits_B)
        if batch.groups is not None and self._at is not None:
            self._ranking = self._ranking or RankingAccumulator()
            items_B = None if self._item is None else batch.ids[:, self._item].numpy()
            self._ranking.update(batch.groups.numpy(), labels_KB[0], logits_KB[0], items_B)
        return labels_KB[0], logits_KB[0]

    def result(self) -> Evaluation:
        """Return the figures of all batches."""
        tasks = dict(zip(self._labels.names, (task.result() for task in self._tasks), strict=True))
        ranking = None if self._ranking is None else self._ranking.result(self._at or ()).figures()
        main = tasks[self._labels.names[0]]
        return Evaluation(**vars(main), ranking=ranking, tasks=tasks if len(tasks) > 1 else {})
