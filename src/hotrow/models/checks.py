"""Checks of what the models' configurations have in common."""

from __future__ import annotations

from collections.abc import Sequence

from hotrow.errors import ConfigError
from hotrow.models.base import LINEAR, MisfitError, ModelConfig
from hotrow.types import Inputs


def common_width(config: ModelConfig) -> int:
    """Return D, the width of every table but those of a linear part.

    Raises:
        ConfigError: there is no table, or their widths differ.
    """
    if not config.main_tables:
        raise ConfigError("tables", config.tables, "at least one table")
    widths = sorted({table.width for table in config.main_tables})
    if len(widths) > 1:
        raise ConfigError("tables", widths, "tables of one width")
    return widths[0]


def require_linear_tables(config: ModelConfig) -> None:
    """Raise ConfigError where the tables' second half is not that of a linear part."""
    given = [table.name for table in config.tables[len(config.main_tables) :] if table.width == 1]
    if given != [LINEAR + table.name for table in config.main_tables]:
        raise ConfigError("tables", given, f"a table {LINEAR}NAME of width 1 for each other table")


def require_two_labels(inputs: Inputs) -> None:
    """Raise MisfitError where there is but one label to learn."""
    if len(inputs.tasks) < 2:
        raise MisfitError("two labels or more")


def require_widths(field: str, sizes: Sequence[int], *, last: int | None = None) -> None:
    """Check the widths of a network after its input.

    Args:
        field: whose sizes they are.
        sizes: the widths.
        last: what the last one must be; None for a network that may be absent and end in any width.

    Raises:
        ConfigError: there is none but should be, one is not positive, or the last is another.
    """
    if last is not None and (not sizes or sizes[-1] != last or min(sizes) < 1):
        raise ConfigError(field, sizes, f"positive widths, the last of them {last}")
    if min(sizes, default=1) < 1:
        raise ConfigError(field, sizes, "positive widths")


def require_positive(field: str, value: int) -> None:
    """Raise ConfigError where a number is below 1."""
    if value < 1:
        raise ConfigError(field, value, "at least 1")
