"""The two decisions that DeepRecSched takes for every query (Gupta et al., ISCA 2020)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Knobs:
    """How queries are spread over workers and the accelerator.

    Attributes:
        batch_size: most rows of a sub-batch, at least 1; a query of N rows becomes ceil(N / batch_size)
            sub-batches over the workers.
        offload_threshold: queries of so many rows or more go whole to the accelerator; None: none do.

    Raises:
        ValueError: a knob below 1.
    """

    batch_size: int
    offload_threshold: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size: got {self.batch_size}, expected at least 1")
        if self.offload_threshold is not None and self.offload_threshold < 1:
            raise ValueError(f"offload_threshold: got {self.offload_threshold}, expected at least 1 or None")

    def offloads(self, rows: int) -> bool:
        """Return whether a query of so many rows goes to the accelerator."""
        return self.offload_threshold is not None and rows >= self.offload_threshold

    def __str__(self) -> str:
        threshold = "" if self.offload_threshold is None else f", from {self.offload_threshold} offloaded"
        return f"batch {self.batch_size}{threshold}"
