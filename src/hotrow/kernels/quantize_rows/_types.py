"""What the implementations of ``quantize_rows`` agree on."""

from __future__ import annotations

from typing import Final, Literal, Protocol

from torch import Tensor

from hotrow.kernels.row_formats import QuantizedFormat

Search = Literal["minmax", "greedy"]

GREEDY_STEPS: Final = 200
"""The greedy search moves an end of the range by this fraction of it."""

GREEDY_KEPT: Final = 168
"""It ends when this many steps of the range are left: 84% (``ratio=0.16`` in torch)."""

INT8_EPSILON: Final = 1e-8
"""Added to the range of an int8 row before dividing by it."""


class Implementation(Protocol):
    """The function that every backend of ``quantize_rows`` has; arguments are checked before."""

    def quantize(self, rows_ED: Tensor, row_format: QuantizedFormat, search: Search, out: Tensor) -> int:
        """Fill ``out`` (E, row_bytes) of uint8.

        Returns:
            The first row that the format cannot hold, or -1; ``out`` is of no meaning then.
        """
