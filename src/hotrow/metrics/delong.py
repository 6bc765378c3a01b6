"""How sure a difference of two AUCs on the same rows is.

After E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more
correlated receiver operating characteristic curves", Biometrics 44 (1988): the AUC is a mean over
the positives, and over the negatives, of how a row's score stands among those of the other class. The
two models' standings are compared row by row, so what both find hard does not count as noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.metrics.auc import check_labels


@dataclass(frozen=True, eq=False)
class Standings:
    """Where each row's score stands.

    Attributes:
        positives: (P,) float64, for each positive the share of negatives below it, ties one half.
        negatives: (N,) float64, for each negative the share of positives above it, ties one half.
    """

    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """The exact AUC."""
        return float(self.positives.mean())


def standings(labels_B: NDArray[Any], scores_B: NDArray[Any]) -> Standings:
    """Return where each row's score stands among those of the other class, in the rows' order.

    Args:
        labels_B: (B,) of 0 and 1, at least two of each.
        scores_B: (B,) real; a higher score is a likelier positive.

    Raises:
        ValueError: shapes differ, a label is neither 0 nor 1, or a class has fewer than two rows.
    """
    positive_B = check_labels(labels_B)
    scores_B = np.asarray(scores_B)
    if scores_B.shape != positive_B.shape:
        raise ValueError(f"labels and scores differ in shape: {positive_B.shape} against {scores_B.shape}")
    above, below = scores_B[positive_B], scores_B[~positive_B]
    if min(above.size, below.size) < 2:
        raise ValueError(f"got {above.size} positives and {below.size} negatives, expected two of each")
    return Standings(_share_below(above, below), 1.0 - _share_below(below, above))


def standard_error(first: Standings, second: Standings) -> float:
    """Return the standard error of the difference of two AUCs on the same rows.

    Raises:
        ValueError: they are not of the same rows, as far as their numbers tell.
    """
    total = 0.0
    for one, other in ((first.positives, second.positives), (first.negatives, second.negatives)):
        if one.shape != other.shape:
            raise ValueError(f"standings of other rows: {one.size} against {other.size} of a class")
        total += float(np.var(one - other, ddof=1)) / one.size
    return math.sqrt(total)


def _share_below(scores: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, side="left")
    below += np.searchsorted(ordered, scores, side="right")
    share: NDArray[np.float64] = below / (2.0 * ordered.size)
    return share
