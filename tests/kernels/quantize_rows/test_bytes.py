"""The bytes are those of torch's own operators, for every backend."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from hotrow.kernels import BackendName, available_backends
from hotrow.kernels.quantize_rows import OPERATOR, dequantize_rows, quantize_rows
from hotrow.kernels.row_formats import BITS, QuantizedFormat, payload_bytes

every_backend = pytest.mark.parametrize("backend", available_backends(OPERATOR.name))
every_format = pytest.mark.parametrize("row_format", ["int8", "int4", "int2"])
low_bits = pytest.mark.parametrize("row_format", ["int4", "int2"])
relaxed = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

TORCH: dict[QuantizedFormat, Callable[..., Tensor]] = {
    "int8": torch.ops.quantized.embedding_bag_byte_prepack,
    "int4": torch.ops.quantized.embedding_bag_4bit_prepack,
    "int2": torch.ops.quantized.embedding_bag_2bit_prepack,
}
GREEDY = {"optimized_qparams": True, "nbins": 200, "ratio": 0.16}

MAKERS: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "normal": lambda rng, rows, width: rng.normal(size=(rows, width)),
    "skewed": lambda rng, rows, width: rng.exponential(size=(rows, width)) ** 2,
    "offset": lambda rng, rows, width: 7 + rng.normal(size=(rows, width)) * 10.0 ** -rng.integers(0, 4),
    "constant": lambda rng, rows, width: np.repeat(rng.normal(size=(rows, 1)), width, axis=1),
    "few values": lambda rng, rows, width: rng.integers(-2, 3, (rows, width)) / 3,
    "mixed zeros": lambda rng, rows, width: (
        rng.choice([0.0, -0.0, 0.0, -0.0, 1.0], (rows, width)) * rng.integers(0, 2, (rows, 1))
    ),
}


@st.composite
def tables(draw: st.DrawFn, smallest: float = -40, largest: float = 4) -> Tensor:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    width = draw(st.integers(1, 20)) * 4
    rows = MAKERS[draw(st.sampled_from(sorted(MAKERS)))](rng, draw(st.integers(1, 20)), width)
    table = torch.from_numpy(np.asarray(rows * 10.0 ** draw(st.floats(smallest, largest)), dtype=np.float32))
    if largest <= 4:  # within what int4 and int2 hold, whose bias is a float16
        table = table.clamp(-65000, 65000)
    if draw(st.booleans()):
        table = table.clamp(-65000, 65000).half()
    return table


@every_backend
@every_format
@relaxed
@given(table=tables())
def test_minmax(backend: BackendName, row_format: QuantizedFormat, table: Tensor) -> None:
    assert torch.equal(quantize_rows(table, row_format, backend=backend), TORCH[row_format](table))


@every_backend
@relaxed
@given(table=tables(smallest=4, largest=35))
def test_minmax_of_large_numbers(backend: BackendName, table: Tensor) -> None:
    assert torch.equal(quantize_rows(table, "int8", backend=backend), TORCH["int8"](table))


@every_backend
@low_bits
@relaxed
@given(table=tables(smallest=-30))
def test_greedy(backend: BackendName, row_format: QuantizedFormat, table: Tensor) -> None:
    table = table[torch_returns(table)]
    assume(table.shape[0] > 0)
    ours = quantize_rows(table, row_format, search="greedy", backend=backend)
    assert torch.equal(ours, TORCH[row_format](table, **GREEDY))


def torch_returns(table: Tensor) -> Tensor:
    """Return which rows (E,) torch's greedy search comes back from: its steps must move the range."""
    low, high = table.float().amin(dim=1), table.float().amax(dim=1)
    spacing = torch.maximum(low.abs(), high.abs()) * 2**-23
    return (low == high) | ((high - low > 400 * spacing) & (high - low > 1e-30))


@every_backend
@every_format
@pytest.mark.parametrize("places", [(0,), (8,), (0, 8), (3,), (1, 8), (16,), (19,), (9, 17)])
def test_sign_of_a_smallest_element_of_zero(
    backend: BackendName, row_format: QuantizedFormat, places: tuple[int, ...]
) -> None:
    for others in (0.0, 2.0):
        table = torch.full((1, 20), others)
        table[0, [4, 5, 12, 18]] = 0.0
        table[0, list(places)] = -0.0
        for row in (table, table.masked_fill(table == 0, 0.0) - table):
            assert torch.equal(quantize_rows(row, row_format, backend=backend), TORCH[row_format](row))


@every_backend
@low_bits
@pytest.mark.parametrize("width", [1, 2, 3, 5, 6, 7, 9, 15, 17, 33])
def test_widths_that_do_not_fill_bytes(backend: BackendName, row_format: QuantizedFormat, width: int) -> None:
    table = torch.randn(19, width)
    quantized = quantize_rows(table, row_format, backend=backend)
    filled = torch.cat([table, table[:, -1:].expand(-1, -width % 4)], dim=1)  # the same range
    expected, payload = TORCH[row_format](filled), payload_bytes(row_format, width)
    assert torch.equal(quantized[:, payload:], expected[:, -4:])
    decoded = dequantize_rows(quantized, row_format, width)
    assert torch.equal(decoded, dequantize_rows(expected, row_format, filled.shape[1])[:, :width])
    used = width * BITS[row_format] % 8
    assert used == 0 or bool((quantized[:, payload - 1] < 2**used).all()), "bits beyond D are 0"


@every_backend
@every_format
def test_bfloat16_is_quantised_as_its_float32(backend: BackendName, row_format: QuantizedFormat) -> None:
    table = torch.randn(37, 20).to(torch.bfloat16)
    assert torch.equal(quantize_rows(table, row_format, backend=backend), TORCH[row_format](table.float()))
