from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from hotrow.kernels.quantize_rows import quantize_rows
from hotrow.kernels.quantize_rows.fbgemm import fbgemm_row_bytes, from_fbgemm, to_fbgemm
from hotrow.kernels.row_formats import BITS, FLOAT_DTYPES, RowFormat, decode_rows

FORMATS: tuple[RowFormat, ...] = ("fp32", "fp16", "int8", "int4", "int2")
WIDTH = 32

every_format = pytest.mark.parametrize("row_format", FORMATS)
needs_fbgemm = pytest.mark.skipif(
    importlib.util.find_spec("fbgemm_gpu") is None, reason="fbgemm-gpu-cpu is not installed (extra: bench)"
)


def table(row_format: RowFormat, rows: int = 40, width: int = WIDTH) -> Tensor:
    values = torch.randn(rows, width, generator=torch.Generator().manual_seed(5))
    if row_format in BITS:
        return quantize_rows(values, row_format)  # type: ignore[arg-type]
    return values.to(FLOAT_DTYPES[row_format])


@every_format
@pytest.mark.parametrize("row_alignment", [1, 16])
def test_there_and_back(row_format: RowFormat, row_alignment: int) -> None:
    rows = table(row_format, width=24)
    weights = to_fbgemm(rows, row_format, 24, row_alignment=row_alignment)
    assert weights.shape == (40, fbgemm_row_bytes(row_format, 24, row_alignment))
    assert weights.shape[1] % row_alignment == 0
    back = from_fbgemm(weights, row_format, 24, row_alignment=row_alignment)
    assert back.dtype == rows.dtype
    if row_format == "int8":
        torch.testing.assert_close(
            decode_rows(back, "int8", 24), decode_rows(rows, "int8", 24), atol=4e-3, rtol=0
        )
        again = to_fbgemm(back, row_format, 24, row_alignment=row_alignment)
        assert torch.equal(again, weights), "what came from FBGEMM goes back as it was"
    else:
        assert torch.equal(back, rows)


@every_format
def test_no_rows(row_format: RowFormat) -> None:
    empty = table(row_format)[:0]
    assert torch.equal(from_fbgemm(to_fbgemm(empty, row_format, WIDTH), row_format, WIDTH), empty)


def test_layout_of_a_row() -> None:
    row = torch.tensor([[0x21, 0x43, 1, 2, 3, 4]], dtype=torch.uint8)
    expected = torch.tensor([[1, 2, 3, 4, 0x21, 0x43, 0, 0]], dtype=torch.uint8)
    assert torch.equal(to_fbgemm(row, "int4", 4, row_alignment=8), expected)


def test_what_fbgemm_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="row_format: got 'bf16'"):
        to_fbgemm(torch.zeros(2, 4, dtype=torch.bfloat16), "bf16", 4)
    with pytest.raises(ValueError, match="width: got 5, FBGEMM takes int4 rows of multiples of 2"):
        to_fbgemm(quantize_rows(torch.zeros(2, 5), "int4"), "int4", 5)
    with pytest.raises(ValueError, match="row 1: its scale or bias"):
        to_fbgemm(quantize_rows(torch.tensor([[0.0, 1.0], [7e4, 8e4]]), "int8"), "int8", 2)
    with pytest.raises(ValueError, match="row_alignment: got 0"):
        fbgemm_row_bytes("int8", 4, 0)
    with pytest.raises(ValueError, match=r"rows: got torch\.float32"):
        to_fbgemm(torch.zeros(2, 4), "int8", 4)
    with pytest.raises(ValueError, match=r"weights: got torch\.uint8 of shape"):
        from_fbgemm(torch.zeros(2, 5, dtype=torch.uint8), "int8", 4)


def fbgemm_bags(weights: Tensor, row_format: RowFormat, row_alignment: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FBGEMM's own imports
        from fbgemm_gpu.split_embedding_configs import SparseType
        from fbgemm_gpu.split_table_batched_embeddings_ops_inference import (
            EmbeddingLocation,
            IntNBitTableBatchedEmbeddingBagsCodegen,
        )

        bags = IntNBitTableBatchedEmbeddingBagsCodegen(
            [("table", weights.shape[0], WIDTH, SparseType(row_format), EmbeddingLocation.HOST)],
            device="cpu",
            output_dtype=SparseType.FP32,
            row_alignment=row_alignment,
        )
        bags.initialize_weights()
    bags.split_embedding_weights(split_scale_shifts=False)[0][0].copy_(weights)
    return bags


@needs_fbgemm
@every_format
@pytest.mark.parametrize("row_alignment", [1, 16])
def test_fbgemm_looks_up_what_we_stored(row_format: RowFormat, row_alignment: int) -> None:
    rows = table(row_format)
    weights = to_fbgemm(rows, row_format, WIDTH, row_alignment=row_alignment)
    ids = torch.randint(0, 40, (30,), dtype=torch.int32, generator=torch.Generator().manual_seed(1))
    offsets = torch.tensor([0, 0, 1, 10, 30], dtype=torch.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pooled = fbgemm_bags(weights, row_format, row_alignment)(ids, offsets)
    values = decode_rows(rows, row_format, WIDTH)[ids.long()]
    bags = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    expected = torch.stack([values[first:last].sum(dim=0) for first, last in bags])
    tolerance = 2e-3 * 20 if row_format == "int8" else 1e-5  # FBGEMM keeps int8 parameters in float16
    torch.testing.assert_close(pooled.float(), expected, atol=tolerance, rtol=1e-5)
