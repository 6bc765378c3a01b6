"""Row quantisation in PyTorch: the specification.

All arithmetic is float32. For ``int8``, with ``low`` and ``high`` the smallest and largest element::

    bias = low; scale = (high - low) / 255
    code = round((x - low) * (255 / (high - low + 1e-8)))

For ``int4`` and ``int2``, with ``top`` = 15 or 3, and ``half`` rounding to float16::

    bias = half(low); scale = half((high - bias) / top), or 1 where that is 0
    code = clamp(round((x - bias) * (1 / scale)), 0, top)

Rounding is to the nearest, ties to even. ``greedy`` narrows (low, high) first: see ``_narrow``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.quantize_rows._types import GREEDY_KEPT, GREEDY_STEPS, INT8_EPSILON, Search
from hotrow.kernels.row_formats import BITS, QuantizedFormat, payload_bytes


def quantize(rows_ED: Tensor, row_format: QuantizedFormat, search: Search, out: Tensor) -> int:
    """Fill ``out``; return the first row that the format cannot hold, or -1."""
    note_path("quantize_rows", "reference")
    rows_ED, bits = rows_ED.float(), BITS[row_format]
    low_E, high_E = _smallest(rows_ED, search), rows_ED.amax(dim=1)
    if search == "greedy":
        low_E, high_E = _narrow(rows_ED, low_E, high_E, bits)
    scale_E, bias_E, inverse_E = _parameters(low_E, high_E, bits)
    is_good_E = rows_ED.isfinite().all(dim=1) & scale_E.isfinite() & bias_E.isfinite()
    if not is_good_E.all():
        return int(is_good_E.int().argmin())
    codes_ED = _codes(rows_ED, bias_E, inverse_E, bits).to(torch.uint8)
    payload = payload_bytes(row_format, rows_ED.shape[1])
    out[:, :payload] = _pack(codes_ED, bits, payload)
    parameters = torch.stack([scale_E, bias_E], dim=1)
    out[:, payload:] = parameters.to(torch.float32 if bits == 8 else torch.float16).view(torch.uint8)
    return -1


def _parameters(low_E: Tensor, high_E: Tensor, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return scale, bias, and what x - bias is multiplied by to give a code."""
    top = low_E.new_tensor(2**bits - 1)
    if bits == 8:
        range_E = (high_E - low_E).abs()  # +0, also for a row of +0 and -0
        return range_E / top, low_E, top / (range_E + INT8_EPSILON)
    bias_E = _half(low_E)
    scale_E = _half((high_E - bias_E) / top)
    scale_E = torch.where(scale_E == 0, 1.0, scale_E)
    return scale_E, bias_E, scale_E.reciprocal()


def _codes(rows_ED: Tensor, bias_E: Tensor, inverse_E: Tensor, bits: int) -> Tensor:
    return ((rows_ED - bias_E[:, None]) * inverse_E[:, None]).round().clamp(0, 2**bits - 1)


def _pack(codes_ED: Tensor, bits: int, payload: int) -> Tensor:
    """Return codes (E, D) as bytes (E, payload), the first code of a byte in its lowest bits."""
    per_byte = 8 // bits
    padded = torch.nn.functional.pad(codes_ED, (0, payload * per_byte - codes_ED.shape[1]))
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=codes_ED.device)
    return (padded.view(-1, payload, per_byte) << shifts).sum(dim=2, dtype=torch.uint8)


def _narrow(rows_ED: Tensor, low_E: Tensor, high_E: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Narrow each row's range greedily (arXiv 1911.02079, section 4; torch's ``optimized_qparams``).

    From the whole range, the end whose move inwards by 1/200 of the range leaves the smaller error moves,
    until 84% of the range are left. The best of the ranges that are better than both their successors
    wins. A range that no longer moves, a step being less than the spacing of float32 there, ends the
    search; torch does not return from such rows.
    """
    step_E = (high_E - low_E) / low_E.new_tensor(GREEDY_STEPS)
    kept_E = step_E * GREEDY_KEPT
    left_E, right_E = low_E, high_E
    error_E = _error(rows_ED, low_E, high_E, bits)
    least_E = error_E
    active_E = left_E + kept_E < right_E
    while active_E.any():
        raised_E, lowered_E = left_E + step_E, right_E - step_E
        raised_error_E = _error(rows_ED, raised_E, right_E, bits)
        lowered_error_E = _error(rows_ED, left_E, lowered_E, bits)
        is_best_E = (
            active_E & (error_E < torch.minimum(raised_error_E, lowered_error_E)) & (error_E < least_E)
        )
        least_E = torch.where(is_best_E, error_E, least_E)
        low_E, high_E = torch.where(is_best_E, left_E, low_E), torch.where(is_best_E, right_E, high_E)
        raises_E = raised_error_E < lowered_error_E
        error_E = torch.where(raises_E, raised_error_E, lowered_error_E)
        next_left_E = torch.where(raises_E, raised_E, left_E)
        next_right_E = torch.where(raises_E, right_E, lowered_E)
        active_E = active_E & ((next_left_E != left_E) | (next_right_E != right_E))
        left_E, right_E = next_left_E, next_right_E
        active_E = active_E & (left_E + kept_E < right_E)
    return low_E, high_E


def _error(rows_ED: Tensor, low_E: Tensor, high_E: Tensor, bits: int) -> Tensor:
    """Return the Euclidean norm of what a range loses, (E,), squares summed in order of columns.

    Here, unlike in ``_parameters``, a scale that rounds to 0 stays 0.
    """
    bias_E = _half(low_E)
    range_E = high_E - bias_E
    scale_E = torch.where(range_E == 0, 1.0, _half(range_E / low_E.new_tensor(2**bits - 1)))
    inverse_E = torch.where(scale_E == 0, 1.0, scale_E.reciprocal())
    restored_ED = _codes(rows_ED, bias_E, inverse_E, bits) * scale_E[:, None] + bias_E[:, None]
    squares_ED = (rows_ED - restored_ED) ** 2
    total_E = torch.zeros_like(low_E)
    for square_E in squares_ED.unbind(dim=1):
        total_E = total_E + square_E
    return total_E.sqrt()


def _smallest(rows_ED: Tensor, search: Search) -> Tensor:
    """Return each row's smallest element (E,), with torch's choice among +0 and -0.

    The greedy search takes the first. FBGEMM's min-max takes minima over columns 8 apart: the last of
    equals within one of these, the first among them, then the first of the D mod 8 columns left over.
    The sign goes into the stored bias and changes no decoded value.
    """
    width = rows_ED.shape[1]
    priority_D = torch.arange(width, device=rows_ED.device)
    if search == "minmax":
        whole = width // 8 * 8
        priority_D[:whole] = priority_D[:whole] % 8 * width - priority_D[:whole]
        priority_D[whole:] += 8 * width
    low_E = rows_ED.amin(dim=1)
    zero_E = torch.where(rows_ED == 0, priority_D, 16 * width).argmin(dim=1)
    return torch.where(low_E == 0, rows_ED.gather(1, zero_E[:, None])[:, 0], low_E)


def _half(values: Tensor) -> Tensor:
    return values.to(torch.float16).float()
