"""Fields of text tables: where they end, and the numbers in them. Needs no torch.

Text is a block of bytes with at least 24 bytes before the first field and 8 behind the last one.

Shapes: R rows, F fields of a row.
"""

from hotrow.kernels.fields._op import OPERATOR, find_separators, read_hex, read_integers

__all__ = ["OPERATOR", "find_separators", "read_hex", "read_integers"]
