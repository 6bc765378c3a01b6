"""Raw log formats. To add one: a module with its class, a line in ``_FORMATS``, its test."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hotrow.data.formats.base import Chunk, ParsedBlock, RawFormat, TableFormat
from hotrow.errors import ConfigError

__all__ = [
    "Chunk",
    "ParsedBlock",
    "RawFormat",
    "TableFormat",
    "find_format",
    "format_names",
    "get_format",
]

_FORMATS = {
    "criteo": ("hotrow.data.formats.criteo", "Criteo"),
    "movielens": ("hotrow.data.formats.movielens", "MovieLens"),
    "sequences": ("hotrow.data.formats.sequences", "Sequences"),
}


def format_names() -> tuple[str, ...]:
    """Return the names of the known formats."""
    return tuple(_FORMATS)


def find_format(name: str) -> RawFormat | TableFormat[Any]:
    """Return the format called ``name``.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    if name not in _FORMATS:
        raise ConfigError("format", name, f"one of {', '.join(_FORMATS)}")
    module, attribute = _FORMATS[name]
    found: RawFormat | TableFormat[Any] = getattr(import_module(module), attribute)()
    return found


def get_format(name: str) -> RawFormat:
    """Return the format called ``name``, one whose logs are streamed.

    Raises:
        ConfigError: there is none, or it is read in memory.
    """
    found = find_format(name)
    if not isinstance(found, RawFormat):
        raise ConfigError("format", name, "a format whose logs are streamed")
    return found
