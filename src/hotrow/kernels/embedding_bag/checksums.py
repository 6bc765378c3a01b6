"""Checksums of table rows, and the check of lookups against them: the specification.

After "Efficient Soft-Error Detection for Low-precision Deep Learning Recommendation Models" (arXiv
2103.00130), which checks int8 lookups. A row's checksum is 8 bytes:

==========  ====================================================================================
sum         float32, the sum of the row's D numbers
magnitude   the upper half of a float32 above A, the sum of their absolute values; for quantised
            rows A = abs(scale) * sum of codes + D * abs(bias)
bytes       uint16, the sum of all bytes of the row, modulo 2**16
==========  ====================================================================================

A lookup is checked in two ways, bag by bag:

* The rows, exactly: the bytes of at most 256 rows at a time, added up, must agree with their checksums
  modulo 2**16. One flipped bit changes a row's sum by 1 to 128, thus that of 256 rows, even if all are the
  same row, by at most 2**15: it is found wherever it is.
* The arithmetic, by the sum of the result's D numbers, which must be c * sum(w * sum), w the weights and c
  the factor of the mean, within the errors of rounding:

  - It never differs by more than ((1 + u)**(n + D / 16 + 16) - 1) * M + 2**-126 for each operation, with
    u = 2**-24 and M = c * sum(abs(w) * A): each stored number goes through at most n additions for n rows,
    D / 16 for the columns and 16 other roundings (by the weight, the scale, the bias, the mean, the
    checksum itself), in whatever order, each with an error of at most u of sums that are at most M.
  - It seldom differs by more than 0.75 * u * (1 + sqrt(n / D)) * M, as errors go both ways.

  Above the first bound, or where the result is NaN and should not be, the bag is faulty; below the second
  it is sound; in between, and where terms add up to infinity or NaN, the bag is looked up once more and must
  come out the same. So a sound lookup never fails, and a fault of the arithmetic that lasts is found still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from hotrow.kernels.row_formats import FLOAT_DTYPES, decode_rows, quantized_parts

if TYPE_CHECKING:
    from hotrow.kernels.embedding_bag._types import TableSpec

CHECKSUM_BYTES: Final = 8

_UNIT: Final = 2.0**-24
_SMALLEST: Final = 2.0**-126
_EXACT: Final = 256
_ROUNDINGS: Final = 16
_BLOCK: Final = 16


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of n lookups, padding left out, and the bags they go to.

    Attributes:
        stored: (n, ...) as they lie in the table.
        checksums: (n, 8) uint8.
        bags: (n,) int64, never decreasing.
        weights: (n,), or None.
    """

    stored: Tensor
    checksums: Tensor
    bags: Tensor
    weights: Tensor | None


def sum_rows(table: Tensor, spec: TableSpec) -> Tensor:
    """Return the checksums (E, 8) uint8 of a table's rows."""
    rows_ED = decode_rows(table, spec.format, spec.width).double()
    if spec.format in FLOAT_DTYPES:
        sum_E, magnitude_E = rows_ED.sum(dim=1), rows_ED.abs().sum(dim=1)
    else:
        codes_ED, scale_E, bias_E = quantized_parts(table, spec.format, spec.width)
        codes_E, scale_E, bias_E = codes_ED.double().sum(dim=1), scale_E.double(), bias_E.double()
        sum_E = scale_E * codes_E + spec.width * bias_E
        magnitude_E = scale_E.abs() * codes_E + spec.width * bias_E.abs()
    least = spec.width * _SMALLEST / _UNIT
    parts = (sum_E.float().view(-1, 1), _above(magnitude_E.clamp(min=least)), _byte_sums(table).short())
    return torch.cat([part.view(spec.rows, -1).view(torch.uint8) for part in parts], dim=1)


def first_bad_bag(rows: Rows, result: Tensor, again: Tensor, *, mean: bool) -> int | None:
    """Return the first bag of which a row or the result does not agree with the checksums.

    Args:
        rows: what was looked up.
        result: (bags, D).
        again: the same, looked up once more.
        mean: whether the result is the mean of the rows, not their sum.
    """
    is_sound, is_faulty = _judge(rows, result, mean=mean)
    differs = ~torch.isclose(result, again, rtol=0.0, atol=0.0, equal_nan=True).all(dim=1)
    bad = is_faulty | (~is_sound & differs)
    bad[rows.bags] |= ~_bytes_agree(rows)
    return int(bad.nonzero()[0]) if bool(bad.any()) else None


def _bytes_agree(rows: Rows) -> Tensor:
    """Return for each lookup whether the bytes of its part of a bag agree."""
    stored = rows.checksums[:, 6:].contiguous().view(torch.int16)[:, 0].long()
    first = torch.searchsorted(rows.bags, rows.bags)  # of the lookup's bag
    place = torch.arange(rows.bags.numel(), device=rows.bags.device)
    parts = (rows.bags << 32) + (place - first) // _EXACT
    _, part = torch.unique(parts, return_inverse=True)
    difference = _byte_sums(rows.stored) - stored
    return (torch.zeros_like(part).index_add_(0, part, difference) % 2**16 == 0)[part]


def _judge(rows: Rows, result: Tensor, *, mean: bool) -> tuple[Tensor, Tensor]:
    """Return for each bag whether its result is surely sound, and whether it is surely faulty."""
    bags, width = result.shape
    sum_n = rows.checksums[:, :4].contiguous().view(torch.float32)[:, 0].double()
    magnitude_n = (rows.checksums[:, 4:6].contiguous().view(torch.int16).int() << 16).view(torch.float32)[
        :, 0
    ]
    weight_n = torch.ones_like(sum_n) if rows.weights is None else rows.weights.double()
    zeros = result.new_zeros(bags, dtype=torch.float64)
    expected_B = zeros.index_add(0, rows.bags, weight_n * sum_n)
    bound_B = zeros.index_add(0, rows.bags, weight_n.abs() * magnitude_n.double())
    count_B = torch.bincount(rows.bags, minlength=bags).double()
    part_B = _UNIT * (count_B + width / _BLOCK + _ROUNDINGS)
    gamma_B = part_B + 2.0 * part_B**2
    adds_up = bound_B * (1.0 + gamma_B) < torch.finfo(torch.float32).max
    factor_B = 1.0 / count_B.clamp(min=1.0) if mean else torch.ones_like(count_B)
    difference_B = (result.double().sum(dim=1) - factor_B * expected_B).abs()
    usual_B = 0.75 * _UNIT * (1.0 + (count_B / width).sqrt()) * factor_B * bound_B
    most_B = gamma_B * factor_B * bound_B + (count_B + _ROUNDINGS) * width * _SMALLEST
    return adds_up & (difference_B <= usual_B), adds_up & ~(difference_B <= most_B)


def _byte_sums(rows: Tensor) -> Tensor:
    """Return the sum of each row's bytes (E,) int64."""
    return rows.contiguous().view(torch.uint8).sum(dim=1, dtype=torch.int64)


def _above(values_E: Tensor) -> Tensor:
    """Return the upper halves, int16, of larger float32 whose lower halves are 0; at most infinity."""
    bits_E = values_E.float().nan_to_num(nan=torch.inf, posinf=torch.inf).view(torch.int32)
    return ((bits_E >> 16) + 1).clamp(max=0x7F80).to(torch.int16)
