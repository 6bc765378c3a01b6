"""Checks of tables and weights that are handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from hotrow.embedding.config import TableConfig
from hotrow.errors import ConfigError
from hotrow.kernels.row_formats import FLOAT_DTYPES, storage_dtype, storage_shape


def require_weights(tables: Sequence[TableConfig], weights: Mapping[str, Tensor]) -> None:
    """Check that there is a contiguous weight of the right shape and dtype for each table.

    Raises:
        ValueError: names the first table without.
    """
    for table in tables:
        weight = weights.get(table.name)
        expected = (storage_dtype(table.format), storage_shape(table.format, table.rows, table.width))
        if weight is None or (weight.dtype, tuple(weight.shape)) != expected:
            got = "none" if weight is None else f"{weight.dtype} {tuple(weight.shape)}"
            raise ValueError(f"weight of table {table.name}: got {got}, expected {expected[0]} {expected[1]}")
        if not weight.is_contiguous():
            raise ValueError(f"weight of table {table.name}: expected a contiguous tensor")


def require_trainable(tables: Sequence[TableConfig]) -> None:
    """Check that the tables' rows can be updated.

    Raises:
        ConfigError: names the first table whose rows cannot.
    """
    for table in tables:
        if table.format not in FLOAT_DTYPES:
            expected = f"{', '.join(FLOAT_DTYPES)} to be trained; others come by from_weights"
            raise ConfigError(f"tables.{table.name}.format", table.format, expected)
