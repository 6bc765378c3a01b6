"""To and from the rows of FBGEMM's ``IntNBitTableBatchedEmbeddingBagsCodegen``; needs no FBGEMM itself.

An FBGEMM row is float16 scale, float16 bias, then the codes in the same order as here; ``fp32`` and
``fp16`` rows are plain numbers. Each row is padded to a multiple of ``row_alignment`` bytes: 1 is what
FBGEMM's operator takes on a CPU, 16 on a GPU, unless it is told otherwise. ``int8`` rows hold float32
parameters here: to FBGEMM they are rounded to float16, from FBGEMM they come exactly. All other
conversions lose nothing.

Source: ``fbgemm_gpu/split_table_batched_embeddings_ops_inference.py``, version 1.8.0 (facts, not code).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from hotrow.kernels.row_formats import (
    BITS,
    FLOAT_DTYPES,
    RowFormat,
    payload_bytes,
    storage_dtype,
    storage_shape,
)

PARAMETER_BYTES: Final = 4
"""Bytes of scale and bias at the start of a quantised FBGEMM row."""


def fbgemm_row_bytes(row_format: RowFormat, width: int, row_alignment: int = 1) -> int:
    """Return the bytes of one FBGEMM row, padding included.

    Raises:
        ValueError: FBGEMM has no such rows: ``bf16``, or codes that do not fill whole bytes.
    """
    if row_format == "bf16" or row_format not in (*FLOAT_DTYPES, *BITS):
        raise ValueError(
            f"row_format: got {row_format!r}, expected one that FBGEMM has: fp32, fp16, int8, int4, int2"
        )
    if row_alignment < 1:
        raise ValueError(f"row_alignment: got {row_alignment}, expected at least 1")
    return -(-_content_bytes(row_format, width) // row_alignment) * row_alignment


def to_fbgemm(rows: Tensor, row_format: RowFormat, width: int, *, row_alignment: int = 1) -> Tensor:
    """Return a table in FBGEMM's layout.

    Copy it into what ``split_embedding_weights(split_scale_shifts=False)`` of FBGEMM's operator returns
    after its ``initialize_weights()``.

    Args:
        rows: (E, D) of the format's dtype, or (E, row_bytes) uint8, as ``row_formats`` describes.
        row_format: the format of the rows, not ``bf16``.
        width: D; the codes of ``int4`` and ``int2`` rows must fill whole bytes.
        row_alignment: bytes that a row's length is rounded up to a multiple of.

    Returns:
        (E, fbgemm_row_bytes) uint8, zeros in the padding.

    Raises:
        ValueError: the rows are not as described, FBGEMM has no such rows, or a parameter of an ``int8``
            row is beyond float16 (the message names the first such row).
    """
    padded = fbgemm_row_bytes(row_format, width, row_alignment)
    expected, dtype = storage_shape(row_format, rows.shape[0], width), storage_dtype(row_format)
    if rows.shape != expected or rows.dtype != dtype:
        raise ValueError(f"rows: got {rows.dtype} of shape {tuple(rows.shape)}, expected {dtype} {expected}")
    converted = torch.zeros(rows.shape[0], padded, dtype=torch.uint8, device=rows.device)
    content = converted[:, : _content_bytes(row_format, width)]
    if row_format in FLOAT_DTYPES:
        content.copy_(rows.contiguous().view(torch.uint8))
        return converted
    payload = payload_bytes(row_format, width)
    parameters = rows[:, payload:]
    content[:, :PARAMETER_BYTES] = _rounded_to_half(parameters) if row_format == "int8" else parameters
    content[:, PARAMETER_BYTES:] = rows[:, :payload]
    return converted


def from_fbgemm(weights: Tensor, row_format: RowFormat, width: int, *, row_alignment: int = 1) -> Tensor:
    """Return a table of FBGEMM's layout in ours; exact for every format.

    Args:
        weights: (E, fbgemm_row_bytes) uint8.
        row_format: the format of the rows, not ``bf16``.
        width: D.
        row_alignment: what ``weights`` were padded to.

    Returns:
        (E, D) of the format's dtype, or (E, row_bytes) uint8.

    Raises:
        ValueError: the weights are not as described, or FBGEMM has no such rows.
    """
    padded = fbgemm_row_bytes(row_format, width, row_alignment)
    if weights.ndim != 2 or weights.shape[1] != padded or weights.dtype != torch.uint8:
        raise ValueError(
            f"weights: got {weights.dtype} of shape {tuple(weights.shape)}, expected uint8 (E, {padded})"
        )
    content = weights[:, : _content_bytes(row_format, width)]
    if row_format in FLOAT_DTYPES:
        return content.contiguous().view(FLOAT_DTYPES[row_format])
    parameters, codes = content[:, :PARAMETER_BYTES], content[:, PARAMETER_BYTES:]
    if row_format == "int8":
        parameters = parameters.contiguous().view(torch.float16).float().view(torch.uint8)
    return torch.cat([codes, parameters], dim=1)


def _content_bytes(row_format: RowFormat, width: int) -> int:
    if row_format in FLOAT_DTYPES:
        return width * FLOAT_DTYPES[row_format].itemsize
    if width * BITS[row_format] % 8:
        raise ValueError(
            f"width: got {width}, FBGEMM takes {row_format} rows of multiples of {8 // BITS[row_format]}"
        )
    return PARAMETER_BYTES + payload_bytes(row_format, width)


def _rounded_to_half(parameters: Tensor) -> Tensor:
    """Return float32 parameters, as bytes (E, 8), rounded to float16, as bytes (E, 4)."""
    halves = parameters.contiguous().view(torch.float32).to(torch.float16)
    is_good_E = halves.isfinite().all(dim=1)
    if not is_good_E.all():
        row = int(is_good_E.int().argmin())
        raise ValueError(
            f"row {row}: its scale or bias is beyond float16 (65504), which FBGEMM keeps them in"
        )
    return halves.view(torch.uint8)
