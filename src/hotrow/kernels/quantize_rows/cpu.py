"""Row quantisation in C++ (csrc/quantize_rows.cpp): rows shared out to threads, GIL released."""

from __future__ import annotations

import torch
from torch import Tensor

from hotrow.kernels import _compiled
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.quantize_rows._types import Search
from hotrow.kernels.row_formats import BITS, QuantizedFormat

_compiled.require()  # makes it share torch's OpenMP
from hotrow import _kernels  # noqa: E402


def quantize(rows_ED: Tensor, row_format: QuantizedFormat, search: Search, out: Tensor) -> int:
    """Fill ``out``; return the first row that the format cannot hold, or -1."""
    note_path("quantize_rows", "cpu")
    return _kernels.quantize_rows(
        rows_ED.contiguous(), BITS[row_format], search == "greedy", out, torch.get_num_threads()
    )
