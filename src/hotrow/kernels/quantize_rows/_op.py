"""Checks, once and here, then the chosen implementation."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from hotrow.kernels.dispatch import Backend, Operator
from hotrow.kernels.memory import prefer_huge_pages
from hotrow.kernels.quantize_rows._types import Implementation, Search
from hotrow.kernels.row_formats import (
    FLOAT_DTYPES,
    FloatFormat,
    QuantizedFormat,
    decode_rows,
    row_bytes,
    storage_shape,
)


def _load_reference() -> Implementation:
    from hotrow.kernels.quantize_rows import reference

    return reference


def _load_cpu() -> Implementation:
    from hotrow.kernels.quantize_rows import cpu

    return cpu


OPERATOR: Operator[Implementation] = Operator(
    "quantize_rows", {"reference": _load_reference, "cpu": _load_cpu}
)


def quantize_rows(
    rows_ED: Tensor,
    row_format: QuantizedFormat,
    *,
    search: Search = "minmax",
    backend: Backend = "auto",
) -> Tensor:
    """Quantise rows of numbers to the bytes that ``row_formats`` describes.

    The bytes are those of ``torch.ops.quantized.embedding_bag_byte_prepack``, ``_4bit_prepack`` and
    ``_2bit_prepack``; with ``greedy``, of the latter two with ``optimized_qparams=True, nbins=200,
    ratio=0.16``. D need not fill whole bytes here.

    Args:
        rows_ED: (E, D) float32, float16 or bfloat16; computed on in float32.
        row_format: what to quantise to.
        search: ``minmax`` maps a row's smallest and largest element to the outermost codes;
            ``greedy``, for ``int4`` and ``int2``, seeks a narrower range with a smaller squared error.
        backend: which implementation runs.

    Returns:
        (E, row_bytes) uint8, on the rows' device.

    Raises:
        ValueError: a row holds NaN or infinity, or its scale or bias is beyond the format's numbers
            (the message names the first such row); or shapes, dtypes or names are not as above.
    """
    _check_rows(rows_ED, row_format, search)
    shape = storage_shape(row_format, *rows_ED.shape)
    out = torch.empty(shape, dtype=torch.uint8, device=rows_ED.device)
    prefer_huge_pages(out)
    _quantize(rows_ED, row_format, search, out, backend)
    return out


def quantize_rows_into(
    out: Tensor,
    rows_ED: Tensor,
    row_format: QuantizedFormat,
    *,
    search: Search = "minmax",
    backend: Backend = "auto",
) -> None:
    """Quantise rows into memory that is there, such as a part of a memory-mapped file.

    A table larger than memory is quantised by slices: ``quantize_rows_into(out[a:b], rows[a:b], ...)``.
    Contiguous rows in host memory are read in place by the ``cpu`` backend, without a copy.

    Args:
        out: (E, row_bytes) uint8, contiguous, on the rows' device.
        rows_ED: as for ``quantize_rows``, like the other arguments.
        row_format: what to quantise to.
        search: how the range of a row is chosen.
        backend: which implementation runs.

    Raises:
        ValueError: as ``quantize_rows``; what ``out`` then holds is unspecified.
    """
    _check_rows(rows_ED, row_format, search)
    shape = storage_shape(row_format, *rows_ED.shape)
    if out.shape != shape or out.dtype != torch.uint8 or not out.is_contiguous():
        raise ValueError(
            f"out: got {out.dtype} of shape {tuple(out.shape)}, expected contiguous uint8 {shape}"
        )
    if out.device != rows_ED.device:
        raise ValueError(f"out: is on {out.device}, the rows are on {rows_ED.device}")
    _quantize(rows_ED, row_format, search, out, backend)


def dequantize_rows(
    rows: Tensor, row_format: QuantizedFormat, width: int, *, to: FloatFormat = "fp32"
) -> Tensor:
    """Return quantised rows as numbers: code * scale + bias in float32, then rounded to ``to``.

    Args:
        rows: (E, row_bytes) uint8.
        row_format: the format of the rows.
        width: D, which padding within the last byte hides.
        to: ``fp32``, ``fp16`` or ``bf16``; values beyond float16 become infinite.

    Returns:
        (E, D) of that dtype.

    Raises:
        ValueError: the rows are not uint8 of (E, row_bytes), or a name is unknown.
    """
    _check_format(row_format)
    if to not in FLOAT_DTYPES:
        raise ValueError(f"to: got {to!r}, expected one of {', '.join(FLOAT_DTYPES)}")
    if width < 1:
        raise ValueError(f"width: got {width}, expected at least 1")
    expected = row_bytes(row_format, width)
    if rows.ndim != 2 or rows.dtype != torch.uint8 or rows.shape[1] != expected:
        raise ValueError(
            f"rows: got {rows.dtype} of shape {tuple(rows.shape)}, expected uint8 (E, {expected})"
        )
    return decode_rows(rows, row_format, width).to(FLOAT_DTYPES[to])


def _quantize(
    rows_ED: Tensor, row_format: QuantizedFormat, search: Search, out: Tensor, backend: Backend
) -> None:
    selected = OPERATOR.select(backend, device=rows_ED.device.type)
    if selected.backend == "cpu" and not rows_ED.is_cpu:
        raise ValueError(f"rows: the cpu backend takes tensors in host memory, got {rows_ED.device}")
    if rows_ED.shape[0] == 0:
        return
    bad = selected.implementation.quantize(rows_ED.detach(), row_format, search, out)
    if bad >= 0:
        raise _bad_row(bad, rows_ED[bad], row_format)


def _check_rows(rows_ED: Tensor, row_format: str, search: str) -> None:
    _check_format(row_format)
    if search not in get_args(Search):
        raise ValueError(f"search: got {search!r}, expected one of {', '.join(get_args(Search))}")
    if search == "greedy" and row_format == "int8":
        raise ValueError("search: greedy is for int4 and int2; int8 rows take minmax")
    if rows_ED.ndim != 2 or rows_ED.shape[1] == 0 or rows_ED.dtype not in FLOAT_DTYPES.values():
        raise ValueError(
            f"rows: got {rows_ED.dtype} of shape {tuple(rows_ED.shape)}, "
            "expected (E, D) of float32, float16 or bfloat16 with D at least 1"
        )


def _check_format(row_format: str) -> None:
    if row_format not in get_args(QuantizedFormat):
        raise ValueError(
            f"row_format: got {row_format!r}, expected one of {', '.join(get_args(QuantizedFormat))}"
        )


def _bad_row(index: int, row_D: Tensor, row_format: QuantizedFormat) -> ValueError:
    if not row_D.isfinite().all():
        return ValueError(f"row {index} holds NaN or infinity, expected finite numbers")
    limit = "a range within float32" if row_format == "int8" else "a scale and a bias within float16 (65504)"
    low, high = row_D.min().item(), row_D.max().item()
    return ValueError(f"row {index} lies between {low:g} and {high:g}: {row_format} needs {limit}")
