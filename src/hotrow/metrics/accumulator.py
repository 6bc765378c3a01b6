"""All metrics in one pass over a stream of logits, in memory that does not grow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.metrics.auc import area_of_counts, check_labels
from hotrow.metrics.finite import diverged
from hotrow.metrics.result import Metrics

LOGIT_LIMIT = 16.0
"""Logits beyond this, in either direction, share the outermost bin (within 1.2e-7 of 0 or 1)."""

BINS = 1 << 18
"""Bins of equal width over [-LOGIT_LIMIT, LOGIT_LIMIT]: about 0.00012 of a logit each."""

_SUMS = ("log_loss", "predicted", "correct")


class MetricAccumulator:
    """Metrics over any number of batches, in 4 MiB.

    Logits are counted in a fixed histogram per class, from which the AUC follows with a bound of
    its error that is computed, not assumed (see ``area_of_counts``): ``Metrics.auc_error``,
    typically 1e-5. It widens when a model gives nearly all rows the same logit, and says so. Log
    loss, calibration and accuracy come from the logits themselves in float64. The same batches
    in the same order give the same bits.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((2, BINS), dtype=np.int64)
        self._sums = np.zeros(len(_SUMS), dtype=np.float64)

    def update(self, labels_B: NDArray[Any], logits_B: NDArray[Any]) -> None:
        """Add a batch.

        Args:
            labels_B: (B,) of 0 and 1.
            logits_B: (B,) real, before the sigmoid.

        Raises:
            DivergedError: a logit is NaN or infinite.
            ValueError: shapes differ, or a label is neither 0 nor 1.
        """
        positive_B = check_labels(labels_B)
        z_B = np.asarray(logits_B, dtype=np.float64)
        if z_B.shape != positive_B.shape:
            raise ValueError(f"labels and logits differ in shape: {positive_B.shape} against {z_B.shape}")
        if not np.isfinite(z_B).all():
            raise diverged(z_B, self.rows)
        np.add.at(self._counts.reshape(-1), _bin_of(z_B) + positive_B * BINS, 1)
        self._sums += (
            float(np.sum(np.logaddexp(0.0, z_B)) - np.sum(z_B[positive_B])),
            float(np.sum(_sigmoid(z_B))),
            float(np.count_nonzero((z_B >= 0.0) == positive_B)),
        )

    @property
    def rows(self) -> int:
        """Rows added so far."""
        return int(self._counts.sum())

    def merge(self, other: MetricAccumulator) -> None:
        """Add all that ``other`` has seen, as though its batches had come here."""
        self._counts += other._counts
        self._sums += other._sums

    def result(self) -> Metrics:
        """Return the metrics of the rows so far; what they do not define is None."""
        negatives, positives = (int(count) for count in self._counts.sum(axis=1))
        rows = negatives + positives
        log_loss, predicted, correct = (float(value) for value in self._sums)
        both = positives > 0 and negatives > 0
        area, error = area_of_counts(self._counts[1], self._counts[0]) if both else (None, None)
        return Metrics(
            rows=rows,
            positives=positives,
            auc=area,
            auc_error=error,
            log_loss=log_loss / rows if rows else None,
            ne=log_loss / rows / _entropy(positives / rows) if both else None,
            calibration=predicted / positives if positives else None,
            accuracy=correct / rows if rows else None,
        )

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the state as arrays, for a checkpoint."""
        return {"counts": self._counts.copy(), "sums": self._sums.copy()}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from what ``state_dict`` returned.

        Raises:
            ValueError: an array is absent or has another shape.
        """
        for name, mine in (("counts", self._counts), ("sums", self._sums)):
            if name not in state or state[name].shape != mine.shape:
                raise ValueError(f"metric state {name!r}: expected an array of shape {mine.shape}")
        self._counts[...] = state["counts"]
        self._sums[...] = state["sums"]


def _bin_of(z_B: NDArray[np.float64]) -> NDArray[np.intp]:
    scaled_B = (z_B + LOGIT_LIMIT) * (BINS / (2 * LOGIT_LIMIT))
    return np.clip(scaled_B, 0, BINS - 1).astype(np.intp)


def _sigmoid(z_B: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-z)), without overflow and exact to the last bits at both ends."""
    small_B = np.exp(-np.abs(z_B))
    return np.where(z_B >= 0, 1.0, small_B) / (1.0 + small_B)


def _entropy(rate: float) -> float:
    return -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate))
