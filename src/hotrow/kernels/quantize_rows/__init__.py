"""From rows of numbers to rows of 8, 4 or 2-bit codes with their own scale and bias, and back.

``reference`` is the specification; ``cpu`` gives the same bytes for any number of threads and any
instruction set. ``fbgemm`` converts tables to and from FBGEMM's layout.
"""

from hotrow.kernels.quantize_rows._op import OPERATOR, dequantize_rows, quantize_rows, quantize_rows_into
from hotrow.kernels.quantize_rows._types import Search

__all__ = ["OPERATOR", "Search", "dequantize_rows", "quantize_rows", "quantize_rows_into"]
