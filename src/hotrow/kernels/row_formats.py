"""How one row of an embedding table lies in memory.

``fp32``, ``fp16`` and ``bf16`` rows are tensors (E, D) of that dtype. Quantised rows are bytes (E, N),
N = ``row_bytes``, in the formats of ``torch.ops.quantized.embedding_bag_*_prepack``, the least
significant byte first:

==========  ==============================================================================
int8        D codes of 8 bits, then float32 scale, float32 bias
int4, int2  ceil(D * bits / 8) bytes of codes, the first in the lowest bits, then float16
            scale, float16 bias
==========  ==============================================================================

A value is code * scale + bias.
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor

FloatFormat = Literal["fp32", "fp16", "bf16"]
QuantizedFormat = Literal["int8", "int4", "int2"]
RowFormat = Literal["fp32", "fp16", "bf16", "int8", "int4", "int2"]

FLOAT_DTYPES: Final[dict[RowFormat, torch.dtype]] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
BITS: Final[dict[RowFormat, int]] = {"int8": 8, "int4": 4, "int2": 2}


def row_bytes(row_format: RowFormat, width: int) -> int:
    """Return the bytes of one row of D = ``width`` values.

    >>> row_bytes("int4", 16), row_bytes("bf16", 16)
    (12, 32)
    """
    if row_format in FLOAT_DTYPES:
        return width * FLOAT_DTYPES[row_format].itemsize
    return payload_bytes(row_format, width) + (8 if row_format == "int8" else 4)


def payload_bytes(row_format: RowFormat, width: int) -> int:
    """Return the bytes of the D codes of one quantised row."""
    return (width * BITS[row_format] + 7) // 8


def storage_shape(row_format: RowFormat, rows: int, width: int) -> tuple[int, int]:
    """Return the shape of the tensor that holds a table: (E, D), or (E, row_bytes) of uint8."""
    return (rows, width) if row_format in FLOAT_DTYPES else (rows, row_bytes(row_format, width))


def storage_dtype(row_format: RowFormat) -> torch.dtype:
    """Return the dtype of the tensor that holds a table."""
    return FLOAT_DTYPES.get(row_format, torch.uint8)


def decode_rows(rows: Tensor, row_format: RowFormat, width: int) -> Tensor:
    """Return stored rows (U, ...) as numbers (U, D): float32, or float64 if the rows are that."""
    if row_format in FLOAT_DTYPES:
        return rows if rows.dtype == torch.float64 else rows.float()
    bits, payload = BITS[row_format], payload_bytes(row_format, width)
    shifts = torch.arange(0, 8, bits, device=rows.device)
    codes = (rows[:, :payload].int().unsqueeze(2) >> shifts) & (2**bits - 1)
    codes_UD: Tensor = codes.flatten(1)[:, :width].float()
    copied = rows[:, payload:].clone(memory_format=torch.contiguous_format)  # view() needs it aligned
    parameters = copied.view(torch.float32 if bits == 8 else torch.float16).float()
    return codes_UD * parameters[:, :1] + parameters[:, 1:]
