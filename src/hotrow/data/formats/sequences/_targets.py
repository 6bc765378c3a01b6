"""Which events are predicted, and in which split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats._runs import places_from_end, run_lengths
from hotrow.data.formats.sequences._events import Events
from hotrow.errors import DataError

_MIN_TARGETS = 3
"""Users with fewer are not judged: all their targets stay in the training split."""


def split_targets(events: Events, *, targets_per_user: int | None) -> dict[str, NDArray[np.int64]]:
    """Return the events that are targets of each split: those with at least one strictly earlier event.

    A user's last target is a test, the one before validates, the others train.

    Args:
        events: of all users.
        targets_per_user: the newest so many training targets are taken; None for all.

    Raises:
        DataError: no target is left for a split.
    """
    targets = np.flatnonzero(events.earlier > 0)
    users = events.users[targets]
    left = places_from_end(users)
    is_judged = run_lengths(users) >= _MIN_TARGETS
    is_test, is_valid = is_judged & (left == 0), is_judged & (left == 1)
    is_train = ~(is_test | is_valid)
    if targets_per_user is not None:
        is_train &= left - 2 * is_judged < targets_per_user
    splits = {"train": targets[is_train], "valid": targets[is_valid], "test": targets[is_test]}
    for name, found in splits.items():
        if not len(found):
            expected = f"a user with {_MIN_TARGETS} items or more after the first"
            raise DataError(events.source, f"has no target for the {name} split, expected {expected}")
    return splits
