"""Decoding of stored rows."""

from __future__ import annotations

import pytest
import torch

from hotrow.kernels.row_formats import QuantizedFormat, decode_rows


@pytest.mark.parametrize("row_format", ["int8", "int4", "int2"])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_rows_whose_parameters_are_not_aligned(rows: int, row_format: QuantizedFormat) -> None:
    parameters = torch.tensor([[0.5, 2.0]], dtype=torch.float32 if row_format == "int8" else torch.float16)
    row = torch.cat([torch.ones(1, 1, dtype=torch.uint8), parameters.view(torch.uint8)], dim=1)
    decoded = decode_rows(row.repeat(rows, 1), row_format, 1)
    assert torch.equal(decoded, torch.full((rows, 1), 2.5))
