"""Smaller models: tables of 8, 4 or 2 bits, networks in bf16 or int8, as few bits as a promise allows."""

from hotrow.shrink.choose import Choice, choose
from hotrow.shrink.config import BITS, NETWORKS, ShrinkConfig
from hotrow.shrink.moves import TableSizes
from hotrow.shrink.report import ShrinkReport, SplitReport, TableReport
from hotrow.shrink.run import shrink_run

__all__ = [
    "BITS",
    "NETWORKS",
    "Choice",
    "ShrinkConfig",
    "ShrinkReport",
    "SplitReport",
    "TableReport",
    "TableSizes",
    "choose",
    "shrink_run",
]
