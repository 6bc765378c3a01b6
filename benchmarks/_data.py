"""Where the real data sets are that some suites need; they are no part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "HOTROW_DATA"
BESIDE = Path(__file__).parents[2] / "shared" / "data"


def data_folder(name: str) -> Path:
    """Return where a data set is looked for: in the folder ``HOTROW_DATA``, else beside the repository."""
    return Path(os.environ.get(VARIABLE) or BESIDE) / name


def missing(name: str) -> str | None:
    """Return why a data set cannot be used, None where it is there."""
    folder = data_folder(name)
    if folder.is_dir():
        return None
    return f"there is no folder {folder}; set {VARIABLE} to the folder that {name} is in"
