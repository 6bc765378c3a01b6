"""What users are told, and what quantisation costs in accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hotrow.kernels import BackendName, available_backends, record_paths
from hotrow.kernels.quantize_rows import (
    OPERATOR,
    Search,
    dequantize_rows,
    quantize_rows,
    quantize_rows_into,
)
from hotrow.kernels.row_formats import FloatFormat, QuantizedFormat, row_bytes

every_backend = pytest.mark.parametrize("backend", available_backends(OPERATOR.name))
every_format = pytest.mark.parametrize("row_format", ["int8", "int4", "int2"])
low_bits = pytest.mark.parametrize("row_format", ["int4", "int2"])


def rmse(table: Tensor, quantized: Tensor, row_format: QuantizedFormat) -> float:
    restored = dequantize_rows(quantized, row_format, table.shape[1])
    return float((table.double() - restored.double()).square().mean().sqrt())


@every_backend
@pytest.mark.parametrize(
    ("row_format", "search", "expected"),
    [("int8", "minmax", 0.00465), ("int4", "minmax", 0.0787), ("int4", "greedy", 0.0716),
     ("int2", "minmax", 0.393), ("int2", "greedy", 0.381)],
)  # fmt: skip
def test_error_on_normal_rows(
    backend: BackendName, row_format: QuantizedFormat, search: Search, expected: float
) -> None:
    table = torch.randn(3000, 32, generator=torch.Generator().manual_seed(0))
    quantized = quantize_rows(table, row_format, search=search, backend=backend)
    assert rmse(table, quantized, row_format) == pytest.approx(expected, rel=0.02)


@every_backend
@every_format
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("place", [(0, 0), (33, 4), (50, 20)])
def test_a_row_that_is_not_finite_is_named(
    backend: BackendName, row_format: QuantizedFormat, bad: float, dtype: torch.dtype, place: tuple[int, int]
) -> None:
    table = torch.randn(51, 21).to(dtype)
    table[place] = bad
    table[50, 3] = bad
    searches: tuple[Search, ...] = ("minmax",) if row_format == "int8" else ("minmax", "greedy")
    for search in searches:
        with pytest.raises(ValueError, match=f"^row {place[0]} holds NaN or infinity, expected finite"):
            quantize_rows(table, row_format, search=search, backend=backend)


@every_backend
@low_bits
@pytest.mark.parametrize("search", ["minmax", "greedy"])
@pytest.mark.parametrize("row", [(-7e4, 0.0, 1.0), (7e4, 7.1e4, 8e4), (0.0, 1.0, 1e6), (-3e38, 3e38, 0.0)])
def test_a_row_beyond_float16_is_named(
    backend: BackendName, row_format: QuantizedFormat, search: Search, row: tuple[float, ...]
) -> None:
    table = torch.randn(20, 3)
    table[17] = torch.tensor(row)
    with pytest.raises(
        ValueError, match=f"^row 17 lies between .*: {row_format} needs a scale and a bias within"
    ):
        quantize_rows(table, row_format, search=search, backend=backend)


@every_backend
def test_a_range_beyond_float32_is_named(backend: BackendName) -> None:
    with pytest.raises(
        ValueError, match=r"^row 1 lies between -3e\+38 and 3e\+38: int8 needs a range within"
    ):
        quantize_rows(torch.tensor([[0.0, 1.0], [-3e38, 3e38]]), "int8", backend=backend)


@every_backend
@low_bits
def test_the_search_ends_where_its_steps_are_too_small_to_move(
    backend: BackendName, row_format: QuantizedFormat
) -> None:
    ulp = 2.0**-23
    near_one = 1.0 + torch.tensor([[0.0, 4, 5, 20], [0, 1, 2, 6], [0, 90, 7, 150]]) * ulp
    subnormal = torch.tensor([[0.0, 1, 2, 5]]) * 2.0**-149
    for table in (near_one, -near_one, near_one * 1000, subnormal):
        quantized = quantize_rows(table, row_format, search="greedy", backend=backend)
        assert torch.equal(quantized, quantize_rows(table, row_format, search="greedy", backend="reference"))


@every_backend
@every_format
def test_a_mapped_table_is_quantised_by_slices(
    tmp_path: Path, backend: BackendName, row_format: QuantizedFormat
) -> None:
    table = torch.randn(100, 13)
    shape = (100, row_bytes(row_format, 13))
    mapped = np.memmap(tmp_path / "table", dtype=np.uint8, mode="w+", shape=shape)
    out = torch.from_numpy(mapped)
    for first in range(0, 100, 30):
        part = slice(first, min(first + 30, 100))
        quantize_rows_into(out[part], table[part], row_format, backend=backend)
    mapped.flush()
    expected = quantize_rows(table, row_format, backend=backend)
    assert (tmp_path / "table").read_bytes() == expected.numpy().tobytes()


@every_backend
def test_backends_are_told_apart(backend: BackendName) -> None:
    with record_paths() as paths:
        quantize_rows(torch.zeros(1, 4), "int8", backend=backend)
    assert paths == [("quantize_rows", backend)]


@every_backend
@every_format
def test_no_rows_strided_rows_and_rows_with_gradient(
    backend: BackendName, row_format: QuantizedFormat
) -> None:
    assert quantize_rows(torch.zeros(0, 4), row_format, backend=backend).shape == (
        0,
        row_bytes(row_format, 4),
    )
    table = torch.randn(12, 10)
    expected = quantize_rows(table[::2, ::3].contiguous(), row_format, backend=backend)
    assert torch.equal(quantize_rows(table[::2, ::3], row_format, backend=backend), expected)
    leaf = table[::2, ::3].clone().requires_grad_()
    assert torch.equal(quantize_rows(leaf, row_format, backend=backend), expected)


@every_format
@pytest.mark.parametrize("to", ["fp32", "fp16", "bf16"])
def test_dequantised_dtypes(row_format: QuantizedFormat, to: FloatFormat) -> None:
    quantized = quantize_rows(torch.randn(5, 7), row_format)
    exact = dequantize_rows(quantized, row_format, 7)
    restored = dequantize_rows(quantized, row_format, 7, to=to)
    assert torch.equal(restored, exact.to(restored.dtype))
    assert restored.shape == (5, 7)


@pytest.mark.parametrize(
    ("rows", "row_format", "search", "message"),
    [
        (torch.zeros(2, 4), "int3", "minmax", "row_format: got 'int3', expected one of int8, int4, int2"),
        (torch.zeros(2, 4), "int4", "best", "search: got 'best', expected one of minmax, greedy"),
        (torch.zeros(2, 4), "int8", "greedy", "search: greedy is for int4 and int2"),
        (torch.zeros(4), "int8", "minmax", "rows: got torch.float32 of shape \\(4,\\)"),
        (torch.zeros(2, 0), "int8", "minmax", "with D at least 1"),
        (torch.zeros(2, 4, dtype=torch.float64), "int8", "minmax", "rows: got torch.float64"),
    ],
)
def test_wrong_arguments(rows: Tensor, row_format: QuantizedFormat, search: Search, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quantize_rows(rows, row_format, search=search)


def test_wrong_output() -> None:
    rows = torch.zeros(2, 4)
    for out in (
        torch.zeros(2, 12),
        torch.zeros(2, 11, dtype=torch.uint8),
        torch.zeros(12, 2, dtype=torch.uint8).T,
    ):
        with pytest.raises(ValueError, match=r"out: got .* expected contiguous uint8 \(2, 12\)"):
            quantize_rows_into(out, rows, "int8")


def test_wrong_rows_to_dequantise() -> None:
    rows = torch.zeros(2, 12, dtype=torch.uint8)
    with pytest.raises(ValueError, match="row_format: got 'fp32'"):
        dequantize_rows(rows, "fp32", 4)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"rows: got torch.uint8 of shape \(2, 12\), expected uint8 \(E, 13\)"
    ):
        dequantize_rows(rows, "int8", 5)
    with pytest.raises(ValueError, match="to: got 'fp8'"):
        dequantize_rows(rows, "int8", 4, to="fp8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="width: got 0"):
        dequantize_rows(rows, "int8", 0)
