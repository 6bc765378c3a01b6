"""What is told of a prepared data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hotrow.types import ListKind


@dataclass(frozen=True, kw_only=True)
class FeatureSummary:
    """One feature of a prepared data set.

    Attributes:
        name: column name.
        kind: ``dense``, ``categorical``, ``bag`` or ``sequence``.
        rows: E, rows of its table; None for a dense feature.
        encoding: ``vocabulary`` or ``hash``; None for a dense feature.
        distinct: different ids in the training split; None where they were not counted.
        unseen_share: share of all rows that have ``UNSEEN_ID``; of a list feature, of the ids of all rows.
        missing_share: share of all rows that have ``MISSING_ID``; of a list feature, whose list is empty.
        of: the feature whose table a list feature shares; None where there is none.
        mean_length: ids of a row in the training split, on average; None of a feature that is no list.
    """

    name: str
    kind: Literal["dense", "categorical"] | ListKind
    rows: int | None = None
    encoding: str | None = None
    distinct: int | None = None
    unseen_share: float | None = None
    missing_share: float | None = None
    of: str | None = None
    mean_length: float | None = None


@dataclass(frozen=True, kw_only=True)
class PrepareReport:
    """What was prepared.

    Attributes:
        out: the data set's folder.
        rows: accepted rows; of formats that make rows themselves (negatives), those that were written.
        rejected_rows: the others; ``rejected.tsv`` in the folder holds them.
        rejected_by_reason: how many for each reason.
        splits: rows of each split.
        features: every feature, in column order.
        seconds: wall time.
        rows_per_second: accepted rows by wall time.
        peak_rss_mib: largest resident memory of the process so far.
    """

    out: str
    rows: int
    rejected_rows: int
    rejected_by_reason: dict[str, int]
    splits: dict[str, int]
    features: tuple[FeatureSummary, ...]
    seconds: float
    rows_per_second: float
    peak_rss_mib: float
