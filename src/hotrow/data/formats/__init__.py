"""Raw log formats. To add one: a module with a ``RawFormat``, a line in ``_FORMATS``, its test."""

from __future__ import annotations

from importlib import import_module

from hotrow.data.formats.base import Chunk, ParsedBlock, RawFormat
from hotrow.errors import ConfigError

__all__ = ["Chunk", "ParsedBlock", "RawFormat", "format_names", "get_format"]

_FORMATS = {
    "criteo": ("hotrow.data.formats.criteo", "Criteo"),
}


def format_names() -> tuple[str, ...]:
    """Return the names of the known formats."""
    return tuple(_FORMATS)


def get_format(name: str) -> RawFormat:
    """Return the format called ``name``.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    if name not in _FORMATS:
        raise ConfigError("format", name, f"one of {', '.join(_FORMATS)}")
    module, attribute = _FORMATS[name]
    found: RawFormat = getattr(import_module(module), attribute)()
    return found
