"""One user context and N items: features that all candidates of a query share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hotrow.data.gather import packed_list
from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError

Value = TypeVar("Value", np.float32, np.int32)


class Context:
    """Gives all rows one row's values of some features.

    Args:
        schema: of the rows.
        names: of the features.

    Raises:
        ConfigError: there is no such feature.
    """

    def __init__(self, schema: Schema, names: Sequence[str]) -> None:
        require_known(names, schema.columns)
        self._dense = [at for at, feature in enumerate(schema.dense) if feature.name in names]
        self._ids = [at for at, feature in enumerate(schema.categorical) if feature.name in names]
        self._lists = [feature.name in names for feature in schema.lists]

    def share(self, block: EncodedBlock, row: int) -> EncodedBlock:
        """Return ``block`` with the values of ``row`` in all rows; what they are in is copied."""
        block = replace(block, dense=_shared(block.dense, self._dense, row))
        block = replace(block, ids=_shared(block.ids, self._ids, row))
        if not any(self._lists):
            return block
        lists = zip(block.lists, self._lists, strict=True)
        return replace(block, lists=tuple(_repeat(each, row) if is_in else each for each, is_in in lists))


def _shared(values: NDArray[Value], columns: Sequence[int], row: int) -> NDArray[Value]:
    if not columns:
        return values
    values = values.copy()
    values[:, columns] = values[row, columns]
    return values


def _repeat(listed: EncodedList, row: int) -> EncodedList:
    here = slice(listed.starts[row], listed.starts[row] + listed.lengths[row])
    B = len(listed.lengths)
    weights = None if listed.weights is None else np.tile(listed.weights[here], B)
    return packed_list(
        np.tile(listed.ids[here], B), np.full_like(listed.lengths, listed.lengths[row]), weights
    )


def require_known(names: Sequence[str], columns: Sequence[str]) -> None:
    """Check that the features of the context exist.

    Raises:
        ConfigError: one does not.
    """
    for name in names:
        if name not in columns:
            raise ConfigError("--context", name, f"features out of {', '.join(columns)}")
