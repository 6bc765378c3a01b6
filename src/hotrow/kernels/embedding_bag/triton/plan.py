"""What kernels are told of the tables and features: integer records, computed once per layout.

Features of equal row format and width go into one group, whatever table they look up: one launch
serves the group, and each program reads the address of its table from its record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

import torch
import triton.language as tl
from torch import Tensor

from hotrow.kernels.embedding_bag._types import Layout, Pooling, States
from hotrow.kernels.row_formats import RowFormat, row_bytes

# Fields of a feature's record, (9,) int64.
FIELDS: Final = tl.constexpr(9)
FEATURE: Final = tl.constexpr(0)  # its position in the layout
ADDRESS: Final = tl.constexpr(1)  # of its table's first row, in bytes
ROWS: Final = tl.constexpr(2)  # of its table
BASE: Final = tl.constexpr(3)  # key of its table's first row
WIDTH: Final = tl.constexpr(4)  # of its table
COLUMN: Final = tl.constexpr(5)  # its first one in the pooled result
POOLING: Final = tl.constexpr(6)  # one of the three below
PADDED: Final = tl.constexpr(7)  # 1 if ids may be padding
PADDING: Final = tl.constexpr(8)

SUM: Final = tl.constexpr(0)
MEAN: Final = tl.constexpr(1)
NONE: Final = tl.constexpr(2)
_POOLINGS: Final[dict[Pooling, int]] = {"sum": 0, "mean": 1, "none": 2}

# Fields of a table's record, (5,) int64.
TABLE_FIELDS: Final = tl.constexpr(5)
TABLE_ADDRESS: Final = tl.constexpr(0)
TABLE_BASE: Final = tl.constexpr(1)
TABLE_INDEX: Final = tl.constexpr(2)
TABLE_STATE: Final = tl.constexpr(3)  # address of the first state; the second one's follows

_VECTOR_BYTES = 16


@dataclass(frozen=True, slots=True)
class Group:
    """Features, or tables, that one launch serves.

    Attributes:
        format: row format of the tables.
        width: D.
        unpooled: whether the features keep every row; False for tables.
        first: first record of the group.
        last: one past its last record.
        aligned: whether each row begins at a multiple of 16 bytes, so that loads can be wide.
    """

    format: RowFormat
    width: int
    unpooled: bool
    first: int
    last: int
    aligned: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return row_bytes(self.format, self.width)


@dataclass(frozen=True, slots=True)
class Plan:
    """Records on the device, those of a group one after the other, and the groups."""

    records: Tensor
    groups: tuple[Group, ...]


def feature_plan(layout: Layout, tables: Sequence[Tensor], device: torch.device) -> Plan:
    """Return the records (F, 9) and groups of the features.

    Raises:
        ValueError: a table is on another device.
    """
    _check_devices(tables, device)
    return _feature_plan(layout, tuple(table.data_ptr() for table in tables), device)


def table_plan(layout: Layout, tables: Sequence[Tensor], states: States, device: torch.device) -> Plan:
    """Return the records (T, 5) and groups of the tables and their states.

    Raises:
        ValueError: a table or state is on another device.
    """
    _check_devices([*tables, *chain.from_iterable(states)], device)
    addresses = tuple(table.data_ptr() for table in tables)
    of_states = tuple(tuple(state.data_ptr() for state in of_table) for of_table in states)
    return _table_plan(layout, addresses, of_states or ((),) * len(addresses), device)


@lru_cache(maxsize=64)
def key_bases(layout: Layout) -> tuple[int, ...]:
    """Return the key of each table's first row and, last, the number of keys.

    Keys number the rows of all tables, table after table within a group, so that the keys of a group
    lie side by side.
    """
    bases, key = [0] * len(layout.tables), 0
    for table in _in_groups(layout):
        bases[table] = key
        key += layout.tables[table].rows
    return (*bases, key)


@lru_cache(maxsize=64)
def _feature_plan(layout: Layout, addresses: tuple[int, ...], device: torch.device) -> Plan:
    bases, records, keys, where = key_bases(layout), [], [], []

    def key_of(index: int) -> tuple[RowFormat, int, bool]:
        feature = layout.features[index]
        table = layout.tables[feature.table]
        return table.format, table.width, feature.pooling == "none"

    for index in sorted(range(len(layout.features)), key=key_of):
        feature = layout.features[index]
        table = layout.tables[feature.table]
        padding = (0, 0) if feature.padding is None else (1, feature.padding)
        address, base = addresses[feature.table], bases[feature.table]
        pooling, column = _POOLINGS[feature.pooling], layout.columns[index]
        records.append((index, address, table.rows, base, table.width, column, pooling, *padding))
        keys.append(key_of(index))
        where.append(address)
    return Plan(_on(device, records, FIELDS.value), _groups(keys, where))


@lru_cache(maxsize=64)
def _table_plan(
    layout: Layout, addresses: tuple[int, ...], states: tuple[tuple[int, ...], ...], device: torch.device
) -> Plan:
    bases, records, keys, where = key_bases(layout), [], [], []
    for index in _in_groups(layout):
        table = layout.tables[index]
        records.append((addresses[index], bases[index], index, *(*states[index], 0, 0)[:2]))
        keys.append((table.format, table.width, False))
        where.append(addresses[index])
    return Plan(_on(device, records, TABLE_FIELDS.value), _groups(keys, where))


def _check_devices(tensors: Sequence[Tensor], device: torch.device) -> None:
    """Refuse what a kernel could not reach: it is given bare addresses."""
    for tensor in tensors:
        if tensor.device != device:
            raise ValueError(f"a table or state is on {tensor.device}, expected {device}, where the ids are")


def _in_groups(layout: Layout) -> list[int]:
    tables = layout.tables
    return sorted(range(len(tables)), key=lambda index: (tables[index].format, tables[index].width))


def _groups(keys: list[tuple[RowFormat, int, bool]], addresses: list[int]) -> tuple[Group, ...]:
    groups, first = [], 0
    for last in range(1, len(keys) + 1):
        if last < len(keys) and keys[last] == keys[first]:
            continue
        row_format, width, unpooled = keys[first]
        steps = (row_bytes(row_format, width), *addresses[first:last])
        aligned = all(step % _VECTOR_BYTES == 0 for step in steps)
        groups.append(Group(row_format, width, unpooled, first, last, aligned))
        first = last
    return tuple(groups)


def _on(device: torch.device, records: Sequence[tuple[int, ...]], fields: int) -> Tensor:
    return torch.tensor(records, dtype=torch.int64).view(-1, fields).to(device)
