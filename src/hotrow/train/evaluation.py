"""Metrics of a model on a split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from hotrow.data.loader import Loader
from hotrow.metrics import MetricAccumulator, Metrics
from hotrow.models import RankingModel

Floats = NDArray[np.float32]


def evaluate(
    model: RankingModel,
    loader: Loader,
    *,
    on_batch: Callable[[int], None] | None = None,
    on_logits: Callable[[Floats, Floats], None] | None = None,
) -> Metrics:
    """Return a model's metrics on the rows of a loader.

    Args:
        model: put into evaluation mode meanwhile.
        loader: of labelled rows.
        on_batch: called after each batch with its number of rows; what it raises ends the evaluation.
        on_logits: called with the labels (B,) and logits (B,) of each batch, both float32.

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
                labels_B, logits_B = batch.labels.numpy(), model(batch).numpy()
                metrics.update(labels_B, logits_B)
                if on_logits is not None:
                    on_logits(labels_B, logits_B)
                if on_batch is not None:
                    on_batch(len(batch))
    finally:
        model.train(training)
    return metrics.result()
