"""The compiled backend gives the reference's bytes for any threads and any instruction set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotrow.kernels import available_backends
from hotrow.kernels.quantize_rows import OPERATOR, Search, quantize_rows
from hotrow.kernels.row_formats import QuantizedFormat

pytestmark = pytest.mark.skipif(
    "cpu" not in available_backends(OPERATOR.name), reason="the compiled kernels are not installed"
)

WAYS: tuple[tuple[QuantizedFormat, Search], ...] = (
    ("int8", "minmax"),
    ("int4", "minmax"),
    ("int2", "minmax"),
    ("int4", "greedy"),
    ("int2", "greedy"),
)


@pytest.mark.parametrize(("row_format", "search"), WAYS)
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(1, 40),
    width=st.integers(1, 70),
    exponent=st.floats(-44, 4),
    offset=st.sampled_from([0.0, 1.0, -300.0, 60000.0]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)
def test_same_bytes_as_the_reference(
    row_format: QuantizedFormat,
    search: Search,
    rows: int,
    width: int,
    exponent: float,
    offset: float,
    dtype: torch.dtype,
) -> None:
    table = (torch.randn(rows, width) * 10**exponent + offset).clamp(-65000, 65000).to(dtype)
    ours = quantize_rows(table, row_format, search=search, backend="cpu")
    assert torch.equal(ours, quantize_rows(table, row_format, search=search, backend="reference"))


@pytest.mark.parametrize(("row_format", "search"), WAYS)
def test_threads_change_nothing(row_format: QuantizedFormat, search: Search) -> None:
    table = torch.randn(333, 21)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            results.append(quantize_rows(table, row_format, search=search, backend="cpu"))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(result, results[0]) for result in results)


SCRIPT = """
import hashlib, torch
from hotrow.kernels import _compiled
from hotrow.kernels.quantize_rows import quantize_rows
digest = hashlib.sha256()
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    for width in (1, 5, 16, 37):
        table = (torch.randn(101, width, generator=torch.Generator().manual_seed(width)) * 3).to(dtype)
        table[::7] *= -0.0
        for row_format, search in {ways}:
            quantized = quantize_rows(table, row_format, search=search, backend={backend!r})
            digest.update(quantized.numpy().tobytes())
result = digest.hexdigest()
"""


def test_digest_of_this_process_is_the_references() -> None:
    assert digest_of("cpu") == digest_of("reference")


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_instruction_sets_change_nothing(isa: str) -> None:
    script = SCRIPT.format(ways=WAYS, backend="cpu")
    script += "print(_compiled.require().instruction_set(), result)"
    environment = {**os.environ, "HOTROW_ISA": isa}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
    )
    used, digest = run.stdout.split()
    if used != isa:
        pytest.skip(f"this processor has no {isa}")
    assert digest == digest_of("cpu")


def digest_of(backend: str) -> str:
    namespace: dict[str, str] = {}
    exec(SCRIPT.format(ways=WAYS, backend=backend), namespace)
    return namespace["result"]
