"""Smaller models: embedding tables quantised to 8, 4 or 2 bits, as few as a promise allows."""

from hotrow.shrink.choose import Choice, choose
from hotrow.shrink.config import BITS, ShrinkConfig
from hotrow.shrink.moves import TableSizes
from hotrow.shrink.report import ShrinkReport, SplitReport, TableReport
from hotrow.shrink.run import shrink_run

__all__ = [
    "BITS",
    "Choice",
    "ShrinkConfig",
    "ShrinkReport",
    "SplitReport",
    "TableReport",
    "TableSizes",
    "choose",
    "shrink_run",
]
