"""What sampling and weighting have done to a model's probabilities, and what undoes it."""

from __future__ import annotations

from hotrow.models import Correction
from hotrow.train.config import LabelWeights


def correction_of(weights: LabelWeights, tasks: int, share: float) -> Correction:
    """Return what makes a trained model's probabilities those of its data.

    Args:
        weights: of the labels, for each of the tasks.
        tasks: how many there are.
        share: of the negatives that were learnt from.
    """
    ones = (1.0,) * tasks
    pairs = zip(weights.negative or ones, weights.positive or ones, strict=True)
    odds = tuple(share * negative / positive for negative, positive in pairs)
    return Correction(odds=odds if set(odds) - {1.0} else ())
