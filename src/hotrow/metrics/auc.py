"""Area under the ROC curve, with ties counted as one half."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.generic]


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the exact area under the ROC curve.

    It is the probability that a random positive scores above a random negative, equal scores
    counting one half (Mann-Whitney's U over the number of pairs; the average-rank rule).

    Args:
        labels: (B,) of 0 and 1, any numeric or boolean type.
        scores: (B,) real; only their order matters, so logits and probabilities serve alike.

    Raises:
        ValueError: shapes differ, a label is neither 0 nor 1, a score is NaN, or the area is
            undefined because one class is absent.
    """
    labels_B = check_labels(np.asarray(labels))
    scores_B = np.asarray(scores)
    if scores_B.shape != labels_B.shape:
        raise ValueError(f"labels and scores differ in shape: {labels_B.shape} against {scores_B.shape}")
    if np.isnan(scores_B).any():
        raise ValueError("scores: NaN has no place in an order")
    distinct, group_B = np.unique(scores_B, return_inverse=True)
    positives = np.bincount(group_B[labels_B], minlength=distinct.size)
    negatives = np.bincount(group_B[~labels_B], minlength=distinct.size)
    if not positives.any() or not negatives.any():
        raise ValueError("AUC is undefined unless labels hold both 0 and 1")
    return area_of_counts(positives, negatives)[0]


def area_of_counts(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> tuple[float, float]:
    """Return the area for rows grouped by increasing score, and the bound of its error.

    Pairs in different groups are decided exactly; pairs inside a group count one half each,
    whichever way their scores would have decided them. The truth gives each of those pairs
    0, 1/2 or 1, so the area is off by at most half the share of pairs inside groups. (If all rows
    of a group have the same score, one half is right and the area is exact.)

    Args:
        positives: (G,) rows with label 1 per group; at least one in all.
        negatives: (G,) rows with label 0 per group; at least one in all.
    """
    share_of_positives = positives / positives.sum()
    share_of_negatives = negatives / negatives.sum()
    below = np.cumsum(share_of_negatives) - share_of_negatives
    inside = float(share_of_positives @ share_of_negatives)
    area = float(share_of_positives @ below) + inside / 2
    return min(max(area, 0.0), 1.0), inside / 2


def check_labels(labels_B: Array) -> NDArray[np.bool_]:
    """Return labels as booleans.

    Raises:
        ValueError: not one-dimensional, or a label that is neither 0 nor 1.
    """
    if labels_B.ndim != 1:
        raise ValueError(f"labels: got shape {labels_B.shape}, expected one dimension")
    positive_B: NDArray[np.bool_] = labels_B == 1
    wrong_B = ~(positive_B | (labels_B == 0))
    if wrong_B.any():
        raise ValueError(f"labels: got {labels_B[wrong_B][0]}, expected 0 or 1")
    return positive_B
