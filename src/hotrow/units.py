"""Sizes, rates and durations as people write and read them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hotrow.errors import ConfigError

_BYTES = {"": 1, "B": 1}
_BYTES |= {f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", start=1)}
_BYTES |= {f"{prefix}IB": 1024**power for power, prefix in enumerate("KMGT", start=1)}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(text: str, *, field: str = "size") -> int:
    """Read a size such as ``256MiB``, ``4GiB``, ``1.5GB`` or ``1024`` (bytes).

    Raises:
        ConfigError: the text is not a size; ``field`` is named in the message.
    """
    match = _SIZE.fullmatch(text)
    if match is None or match[2].upper() not in _BYTES:
        raise ConfigError(field, text, "a size such as 256MiB or 4GiB")
    return int(float(match[1]) * _BYTES[match[2].upper()])


def format_bytes(count: float) -> str:
    """Write a number of bytes with a binary unit, e.g. ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def format_shares(shares: Mapping[str, float]) -> str:
    """Write named shares in percent, e.g. ``load 2%, lookup 15%``."""
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def format_count(count: float) -> str:
    """Write a count with a metric suffix, e.g. ``39.3M``."""
    for suffix in ("", "k", "M", "G"):
        if abs(count) < 1000:
            return f"{count:.0f}" if suffix == "" else f"{count:.1f}{suffix}"
        count /= 1000
    return f"{count:.1f}T"
