"""Metrics of a model on a split."""

from __future__ import annotations

from collections.abc import Callable

import torch

from hotrow.data.loader import Loader
from hotrow.metrics import MetricAccumulator, Metrics
from hotrow.models import RankingModel


def evaluate(
    model: RankingModel, loader: Loader, *, on_batch: Callable[[int], None] | None = None
) -> Metrics:
    """Return a model's metrics on the rows of a loader.

    Args:
        model: put into evaluation mode meanwhile.
        loader: of labelled rows.
        on_batch: called after each batch with its number of rows; what it raises ends the evaluation.

    Raises:
        DivergedError: the model gives a logit that is not a finite number.
    """
    metrics = MetricAccumulator()
    training = model.training
    model.eval()
    try:
        with torch.inference_mode(), loader.epoch() as batches:
            for batch in batches:
                assert batch.labels is not None
                metrics.update(batch.labels.numpy(), model(batch).numpy())
                if on_batch is not None:
                    on_batch(len(batch))
    finally:
        model.train(training)
    return metrics.result()
