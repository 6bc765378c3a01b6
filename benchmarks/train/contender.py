"""What contenders have in common."""

from __future__ import annotations

from typing import Any, Protocol

from hotrow.types import Batch


class Contender(Protocol):
    """A peer that trains the same model."""

    def convert(self, batch: Batch) -> Any:
        """Return a batch as the peer's own loader would give it; not timed."""

    def step(self, given: Any) -> None:
        """Train on what ``convert`` gave."""


class ContenderMissingError(Exception):
    """A peer is not there; the message says how it would be."""
