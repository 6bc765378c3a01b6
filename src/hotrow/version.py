"""The version of this installation, written into what it makes."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def hotrow_version() -> str:
    """Return the installed version; a source tree that was never installed is ``0+source``."""
    try:
        return version("hotrow")
    except PackageNotFoundError:
        return "0+source"
