"""Saying which logit is not a finite number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import DivergedError


def diverged(logits_B: NDArray[Any], rows_before: int) -> DivergedError:
    """Return the error that names the first row whose logit is NaN or infinite.

    Args:
        logits_B: (B,) real, not all finite.
        rows_before: rows that were judged before these.
    """
    bad = int(np.argmin(np.isfinite(logits_B)))
    return DivergedError(
        f"logit {logits_B[bad]} in row {rows_before + bad} of the evaluated rows, expected a finite number; "
        "the model has diverged: lower the learning rate or start from an earlier checkpoint"
    )
