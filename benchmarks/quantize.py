"""Quantising rows, against torch's prepack operators on the same float32 rows.

Contenders take turns within each round; figures are medians over the rounds: milliseconds, and GB of
float32 input per second. Torch's greedy search is timed on a fraction of the rows, its rows on their own
each, and its time scaled to all of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from hotrow.kernels.quantize_rows import Search, quantize_rows_into
from hotrow.kernels.row_formats import QuantizedFormat, storage_shape

ELEMENTS = 1 << 24
WIDTHS = (16, 64, 128)
ROUNDS = 9
WARM_UP = 1
GREEDY_ROUNDS = 3
TORCH_GREEDY_SHARE = 200
"""Torch's greedy search is given one in this many rows."""

TORCH: dict[QuantizedFormat, Callable[..., Tensor]] = {
    "int8": torch.ops.quantized.embedding_bag_byte_prepack,
    "int4": torch.ops.quantized.embedding_bag_4bit_prepack,
    "int2": torch.ops.quantized.embedding_bag_2bit_prepack,
}


def run() -> dict[str, object]:
    """Time every format and search at several widths, about 67 MB of rows each."""
    result: dict[str, object] = {"threads": torch.get_num_threads()}
    for width in WIDTHS:
        rows = torch.randn(ELEMENTS // width, width, generator=torch.Generator().manual_seed(width))
        for row_format in TORCH:
            result[f"D{width} {row_format} minmax"] = _measure(rows, row_format, "minmax")
            if row_format != "int8":
                result[f"D{width} {row_format} greedy"] = _measure(rows, row_format, "greedy")
    return result


def _measure(rows_ED: Tensor, row_format: QuantizedFormat, search: Search) -> dict[str, float]:
    out = torch.empty(storage_shape(row_format, *rows_ED.shape), dtype=torch.uint8)
    theirs = rows_ED[:: TORCH_GREEDY_SHARE if search == "greedy" else 1].contiguous()
    options = {"optimized_qparams": True, "nbins": 200, "ratio": 0.16} if search == "greedy" else {}
    hotrow_ms, torch_ms = [], []
    for number in range(WARM_UP + (GREEDY_ROUNDS if search == "greedy" else ROUNDS)):
        ours = _timed(lambda: quantize_rows_into(out, rows_ED, row_format, search=search))
        other = _timed(lambda: TORCH[row_format](theirs, **options)) * len(rows_ED) / len(theirs)
        if number >= WARM_UP:
            hotrow_ms.append(ours)
            torch_ms.append(other)
    gigabytes = rows_ED.numel() * 4 / 1e9
    figures = {"hotrow": statistics.median(hotrow_ms), "torch": statistics.median(torch_ms)}
    return {f"{name}_ms": ms for name, ms in figures.items()} | {
        f"{name}_gb_per_second": gigabytes / ms * 1e3 for name, ms in figures.items()
    }


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3
