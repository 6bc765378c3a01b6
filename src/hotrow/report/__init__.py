"""Self-contained HTML pages about runs."""

from hotrow.report.page import write_report

__all__ = ["write_report"]
