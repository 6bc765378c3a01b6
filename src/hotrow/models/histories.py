"""What models of histories share: which sequences go together, and what their steps are compared with.

Shapes: B batch, L steps of all rows, K width of a step's key, Q width of the candidate's query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hotrow.embedding.lookup import Lookup
from hotrow.errors import ConfigError
from hotrow.layers.beside import beside
from hotrow.layers.jagged import Segments, make_segments
from hotrow.models.base import MisfitError, ModelConfig
from hotrow.types import Batch, Inputs


@dataclass(frozen=True, kw_only=True)
class History:
    """Sequences of one length whose steps are the same events, e.g. items and their categories.

    Attributes:
        sequences: positions of the sequences among the list features: first those with a candidate.
        names: their names.
        columns: for each with a candidate, the columns of the candidate's embedding in the pooled lookup.
        key: K, the width of a step: all its embeddings side by side.
        query: Q, the width of the candidate's embeddings side by side; 0 where there is none.
        length: steps of a row, about.
    """

    sequences: tuple[int, ...]
    names: tuple[str, ...]
    columns: tuple[slice, ...]
    key: int
    query: int
    length: int

    def query_of(self, pooled: Tensor) -> Tensor:
        """Return the candidate's embeddings, (B, Q), from the pooled lookup."""
        return beside(*(pooled[:, columns] for columns in self.columns))

    def steps_of(self, batch: Batch, found: Lookup) -> tuple[Tensor, Segments]:
        """Return the steps' embeddings, (L, K), and which of them are whose.

        Raises:
            ConfigError: the sequences are not as long as one another in every row.
        """
        assert batch.lists is not None
        size = len(batch)
        parts = [batch.lists.offsets[first * size : (first + 1) * size + 1] for first in self.sequences]
        offsets_B1 = parts[0] - parts[0][0]
        for other, name in zip(parts[1:], self.names[1:], strict=True):
            _require_aligned(offsets_B1, other - other[0], self.names[0], name)
        keys_LK = beside(*(found.sequences[name] for name in self.names))
        return keys_LK, make_segments(offsets_B1, keys_LK.shape[0])


def histories(config: ModelConfig, *, align: bool) -> tuple[History, ...]:
    """Return the histories of a configuration that looks at steps.

    The candidate of a sequence is the categorical feature whose table it shares.

    Args:
        config: of the model.
        align: whether sequences of one mean length go together; else each is a history of its own.
    """
    widths = {table.name: table.width for table in config.tables}
    columns, column = {}, 0
    for table in config.main_tables[: config.num_categorical]:
        columns[table.name] = slice(column, column + table.width)
        column += table.width
    groups: dict[int, list[int]] = {}
    for index, feature in enumerate(config.lists):
        if feature in config.step_lists:
            groups.setdefault(feature.length if align else -1 - index, []).append(index)
    found = []
    for group in groups.values():
        ordered = sorted(group, key=lambda index: config.lists[index].has_own_table)
        features = [config.lists[index] for index in ordered]
        compared = [feature.table for feature in features if not feature.has_own_table]
        found.append(
            History(
                sequences=tuple(ordered),
                names=tuple(feature.name for feature in features),
                columns=tuple(columns[table] for table in compared),
                key=sum(widths[feature.table] for feature in features),
                query=sum(widths[table] for table in compared),
                length=features[0].length,
            )
        )
    return tuple(found)


def require_history(inputs: Inputs) -> None:
    """Check that there is a sequence with a candidate.

    Raises:
        MisfitError: there is none.
    """
    if not inputs.sequences():
        raise MisfitError("a sequence feature")
    if all(feature.has_own_table for feature in inputs.sequences()):
        raise MisfitError("a sequence feature of a categorical feature's ids")


def require_candidates(found: Sequence[History]) -> None:
    """Raise ConfigError where no sequence of a configuration has a candidate."""
    if not any(history.query for history in found):
        raise ConfigError("lists", (), "a sequence that shares the table of a categorical feature")


def _require_aligned(offsets: Tensor, other: Tensor, name: str, other_name: str) -> None:
    if torch.compiler.is_compiling():  # a compiled model does not wait for values
        return
    if not torch.equal(offsets, other):
        expected = f"false: sequences {name} and {other_name} are not as long as one another in every row"
        raise ConfigError("model.align", True, expected)
