"""Types that cross package borders.

Shape letters, used in names and docstrings throughout: B batch, T tables, F features,
L lookups, E rows of a table, D embedding width, N dense features, M list features (bags and
sequences), K tasks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

ListKind = Literal["bag", "sequence"]
"""What a feature of many ids is: a ``bag`` has no order and is pooled; a ``sequence`` is in order of
time, oldest first, and models of histories look at its single steps."""

Pooling = Literal["sum", "mean"]
"""How the rows of a bag become one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of encoded examples, ready for a model.

    Attributes:
        dense: (B, N) float32, already transformed.
        ids: (B, F) int32, one row id per categorical feature; 0 is unseen/rare, 1 is missing.
        labels: (B,) float32 in {0, 1}; (B, K) of a data set with K > 1 labels; None when ranking.
        lists: int32 ids of the M list features, M * B bags, feature-major; None where M is 0.
        groups: (B,) int64, equal for rows that are ranked against each other (of one user or query);
            None where the data set has no such column.
    """

    dense: Tensor
    ids: Tensor
    labels: Tensor | None = None
    lists: Jagged | None = None
    groups: Tensor | None = None

    def __len__(self) -> int:
        return int(self.dense.shape[0])

    def to(self, device: str) -> Batch:
        """Return the batch on a device; on the one where it is, itself."""
        return self if self.dense.device.type == device else _moved(self, device)


@dataclass(frozen=True, slots=True)
class Jagged:
    """Variable-length bags of ids of F features, feature-major (the layout of TorchRec's KJT).

    Attributes:
        ids: (L,) int32 or int64; all bags of feature 0, then of feature 1, ...
        offsets: (F * B + 1,) int64; bag b of feature f is ``ids[offsets[f*B+b] : offsets[f*B+b+1]]``.
        weights: (L,) float32, what each looked-up row is multiplied by, or None.
    """

    ids: Tensor
    offsets: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class ListInput:
    """What a model must know of a feature of many ids.

    Attributes:
        name: of the feature.
        kind: ``bag`` or ``sequence``.
        table: the categorical feature whose table it shares (its ids mean the same there), or its own
            name when it has a table of its own.
        rows: E of that table.
        length: ids of a row, about: what costs are reckoned with. Rows may have more or fewer.
        pooling: of a bag, and of a sequence in models that do not look at its steps.
    """

    name: str
    kind: ListKind
    table: str
    rows: int
    length: int = 1
    pooling: Pooling = "mean"

    @property
    def has_own_table(self) -> bool:
        """Whether no categorical feature shares its table."""
        return self.table == self.name


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a model must know of its data: which features there are, and the tables' sizes.

    Attributes:
        num_dense: N.
        names: names of the F categorical features, in column order.
        rows: E of each feature's table.
        lists: the M list features, in column order.
        tasks: names of the K labels, the main one first.
    """

    num_dense: int
    names: tuple[str, ...]
    rows: tuple[int, ...]
    lists: tuple[ListInput, ...] = ()
    tasks: tuple[str, ...] = ("label",)

    def sequences(self) -> tuple[ListInput, ...]:
        """Return the list features that are sequences."""
        return tuple(feature for feature in self.lists if feature.kind == "sequence")


def _moved(record: Any, device: str) -> Any:
    """Return a record of tensors, None and such records on a device."""
    found = {field.name: getattr(record, field.name) for field in fields(record)}
    return replace(
        record,
        **{
            name: value.to(device) if hasattr(value, "to") else value and _moved(value, device)
            for name, value in found.items()
        },
    )
