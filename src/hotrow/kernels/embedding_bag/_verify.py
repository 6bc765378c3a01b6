"""The typed entry to checksums: making them, and verifying a lookup apart from it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hotrow.kernels.dispatch import Backend
from hotrow.kernels.embedding_bag._backends import OPERATOR
from hotrow.kernels.embedding_bag._check import (
    check_batch,
    check_result,
    check_tables,
    contiguous,
    raise_problem,
)
from hotrow.kernels.embedding_bag._types import (
    BadBagError,
    BadIdError,
    BadOffsetsError,
    Bags,
    Embedded,
    Layout,
)


def make_checksums(tables: Sequence[Tensor], layout: Layout, *, backend: Backend = "auto") -> list[Tensor]:
    """Return the checksums (E, 8) uint8 of each table's rows (see ``checksums``); reads all rows.

    Raises:
        ValueError: the tables are not as ``layout`` says.
    """
    selected = OPERATOR.select(backend, device=tables[0].device.type)
    check_tables(tables, layout, selected.backend)
    return selected.implementation.make_checksums(tables, layout)


def verify_lookup(
    tables: Sequence[Tensor],
    layout: Layout,
    bags: Bags,
    checksums: Sequence[Tensor],
    result: Embedded,
    *,
    backend: Backend = "auto",
) -> None:
    """Verify what ``embedding_bag`` gave, and the rows it came from.

    Takes what ``embedding_bag`` takes, and its result by the same backend.

    Raises:
        IndexError: an id is outside its table.
        SoftErrorDetected: a bag does not agree with the checksums.
        ValueError: shapes, dtypes or devices do not fit together.
    """
    selected = check_batch(tables, layout, bags, backend, checksums)
    result = check_result(result, tables, layout, bags)
    try:
        selected.implementation.verify(tables, layout, contiguous(bags), checksums, result)
    except (BadIdError, BadOffsetsError, BadBagError) as error:
        raise_problem(error, layout, bags)
