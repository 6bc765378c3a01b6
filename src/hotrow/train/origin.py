"""Where the first weights of a run came from, if not from chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class IdCounts:
    """The ids of one feature, the reserved ones left out.

    Attributes:
        kept: in both vocabularies: their rows go on with weights and optimizer state.
        new: in the new one only: their rows are freshly initialised.
        gone: in the old one only: their rows are left behind.
    """

    kept: int
    new: int
    gone: int


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The run that another one started from; in ``config.json`` and ``result.json``.

    Attributes:
        run: its folder.
        step: whose weights were taken, those that it exported.
        checkpoint: SHA-256 of that checkpoint's list of checksums.
        ids: of each feature with a table of its own.
        tables_state: whether the tables' optimizer went on, or began anew because it is another one.
        dense_state: likewise of the networks'.
    """

    run: str
    step: int
    checkpoint: str
    ids: Mapping[str, IdCounts]
    tables_state: bool
    dense_state: bool

    def totals(self) -> IdCounts:
        """Return the ids of all features."""
        found = list(self.ids.values())
        return IdCounts(
            kept=sum(ids.kept for ids in found),
            new=sum(ids.new for ids in found),
            gone=sum(ids.gone for ids in found),
        )
