"""What `hotrow synth` tells of the log it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hotrow.config import to_mapping


@dataclass(frozen=True, kw_only=True)
class SynthReport:
    """A synthetic log, and two ceilings to judge by a model that is trained on it.

    Both ceilings are AUCs on the log's own labels of the held-out rows, those after the first 6/7,
    since that is where a trained model is judged. They are None where these rows lack a class.

    Attributes:
        rows: rows written.
        seed: the seed they follow from.
        out: the file.
        bytes: its size.
        click_rate: share of rows with label 1.
        evaluated_rows: held-out rows, on which the ceilings are computed.
        oracle_auc: of the planted probabilities themselves; no model can expect more.
        oracle_auc_error: the exact figure lies within plus or minus this.
        learnable_auc: of the planted model without the effects of ids seen fewer than 20 times in the
            first 6/7 of the log: what a model that learns perfectly from those rows can expect.
        learnable_auc_error: the exact figure lies within plus or minus this.
        seconds: wall-clock time of everything, judging included.
        rows_per_second: rows over seconds.
    """

    rows: int
    seed: int
    out: str
    bytes: int
    click_rate: float
    evaluated_rows: int
    oracle_auc: float | None
    oracle_auc_error: float | None
    learnable_auc: float | None
    learnable_auc_error: float | None
    seconds: float
    rows_per_second: float

    def to_mapping(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return to_mapping(self)
