"""Rows of ranked groups cut into classes of equal score: what every ranking metric is reckoned from.

A model may give many rows one score. A metric is then its expectation over all orders of the tied rows,
each as likely (F. McSherry and M. Najork, "Computing Information Retrieval Performance Measures
Efficiently in the Presence of Tied Scores", ECIR 2008): a constant model gets what chance gets, and the
order of the rows never matters.

Shapes: R rows, G groups, C classes of equal score within a group, best first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TieClasses:
    """Groups and the classes of their rows, in the order of group and then of falling score.

    Attributes:
        groups: (G,) the groups' ids, rising.
        rows: (G,) rows of each.
        positives: (G,) rows with label 1 of each.
        first_class: (G,) index of each group's first class.
        group: (C,) index of the group that a class belongs to.
        above: (C,) rows of the group with a higher score.
        size: (C,) rows of the class.
        hits: (C,) rows with label 1 of the class.
        order: (R,) which rows were given, in this order.
        row_class: (R,) the class of each of them, in this order.
    """

    groups: Ints
    rows: Ints
    positives: Ints
    first_class: Ints
    group: Ints
    above: Ints
    size: Ints
    hits: Ints
    order: Ints
    row_class: Ints

    def sums(self, values_C: Floats) -> Floats:
        """Return the sum over each group's classes, (G,)."""
        return np.add.reduceat(values_C, self.first_class) if self.groups.size else np.zeros(0)

    def within(self, k: int) -> Ints:
        """Return how many of the first k places each class takes, (C,)."""
        return np.clip(k - self.above, 0, self.size)


def tie_classes(groups_R: NDArray[Any], positive_R: NDArray[np.bool_], scores_R: NDArray[Any]) -> TieClasses:
    """Cut rows into classes of equal score.

    Args:
        groups_R: (R,) integers, equal for rows that are ranked against each other.
        positive_R: (R,) whether the label is 1.
        scores_R: (R,) finite numbers; higher is better.
    """
    order = np.lexsort((-scores_R, groups_R))
    groups_R, positive_R, scores_R = groups_R[order], positive_R[order], scores_R[order]
    opens_group = np.ones(order.size, dtype=np.bool_)
    opens_group[1:] = groups_R[1:] != groups_R[:-1]
    opens_class = opens_group.copy()
    opens_class[1:] |= scores_R[1:] != scores_R[:-1]
    group_starts, class_starts = np.flatnonzero(opens_group), np.flatnonzero(opens_class)
    group_of_class = (np.cumsum(opens_group) - 1)[class_starts]
    hits = positive_R.astype(np.int64)
    return TieClasses(
        groups=groups_R[group_starts].astype(np.int64),
        rows=np.diff(group_starts, append=order.size),
        positives=_sums(hits, group_starts),
        first_class=np.searchsorted(class_starts, group_starts),
        group=group_of_class,
        above=class_starts - group_starts[group_of_class],
        size=np.diff(class_starts, append=order.size),
        hits=_sums(hits, class_starts),
        order=order,
        row_class=np.cumsum(opens_class) - 1,
    )


def _sums(values: Ints, starts: Ints) -> Ints:
    return np.add.reduceat(values, starts) if starts.size else np.zeros(0, dtype=np.int64)
