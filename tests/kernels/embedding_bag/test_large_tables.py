"""Tables of more than 4 GiB of addresses, of which only the pages that are written take memory."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
import torch
from tests.kernels.embedding_bag.checks import make_update, needs_cpu, plain_sgd
from tests.kernels.embedding_bag.problems import KINDS
from torch import Tensor

from hotrow.kernels.embedding_bag import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    OptimizerKind,
    TableSpec,
    backward_update,
    embedding_bag,
    weights_gradient,
)
from hotrow.kernels.row_formats import FLOAT_DTYPES, RowFormat, storage_dtype, storage_shape

pytestmark = needs_cpu
MAP_NORESERVE = 0x4000  # Linux; in the mmap module from Python 3.12 on


def untouched(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Return zeros that take memory only where they are written."""
    size = torch.Size(shape).numel() * dtype.itemsize
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


def table_of(rows: int, width: int, row_format: RowFormat) -> tuple[Tensor, Layout]:
    table = untouched(storage_shape(row_format, rows, width), storage_dtype(row_format))
    return table, Layout((TableSpec("t", rows, width, row_format),), (FeatureSpec("f", 0),))


def aliases(table: Tensor, row: int) -> list[int]:
    """Return the rows where an offset of ``row`` cut to fewer bits would lead, and neighbours."""
    row_bytes = table.stride(0) * table.element_size()
    wrapped = {row * row_bytes % 2**bits // row_bytes for bits in (31, 32, 33)}
    wrapped |= {row * table.stride(0) % 2**bits // table.stride(0) for bits in (31, 32)}
    rows = {at + step for at in wrapped | {row} for step in (-1, 0, 1)}
    return sorted(at for at in rows if 0 <= at < len(table) and at != row)


@pytest.mark.parametrize("jagged", [False, True])
@pytest.mark.parametrize("row_format", ["fp32", "fp16", "bf16"])
def test_the_last_rows_are_read_and_stepped(row_format: RowFormat, jagged: bool) -> None:
    width = 160
    rows = (20 << 30) // (width * FLOAT_DTYPES[row_format].itemsize) + 5
    table, layout = table_of(rows, width, row_format)
    ids = torch.tensor([rows - 1, rows - 3, rows - 1])
    bags = Bags(ids, torch.arange(4), 1, torch.ones(3)) if jagged else Bags(ids.unsqueeze(1), None, 1)
    grad = Embedded(torch.ones(3, width), torch.zeros(0))
    backward_update([table], [], layout, bags, grad, plain_sgd(), backend="cpu")
    assert table[rows - 1].tolist() == [-2.0] * width
    assert table[rows - 3].tolist() == [-1.0] * width
    assert table[rows - 2].count_nonzero() == 0
    for row in aliases(table, rows - 1):
        assert row == rows - 3 or table[row].count_nonzero() == 0
    result = embedding_bag([table], layout, bags, backend="cpu").pooled
    assert result.tolist() == [[-2.0] * width, [-1.0] * width, [-2.0] * width]
    if jagged:
        products = weights_gradient([table], layout, bags, grad, backend="cpu")
        assert products.tolist() == [-2.0 * width, -1.0 * width, -2.0 * width]


@pytest.mark.parametrize("row_format", ["int8", "int4", "int2"])
def test_the_last_quantised_row_is_read(row_format: RowFormat) -> None:
    rows, width = 2**27 + 3, 77  # 5 to 11 GiB
    table, layout = table_of(rows, width, row_format)
    parameters = torch.tensor([0.0, 2.5], dtype=torch.float32 if row_format == "int8" else torch.float16)
    table[-1, -parameters.nbytes :] = parameters.view(torch.uint8)
    ids = torch.tensor([[rows - 1], [rows - 2]])
    result = embedding_bag([table], layout, Bags(ids, None, 1), backend="cpu").pooled
    assert result.tolist() == [[2.5] * width, [0.0] * width]


@pytest.mark.parametrize("kind", KINDS)
def test_states_of_large_tables(kind: OptimizerKind) -> None:
    rows, width = 2**25 + 7, 33
    table, layout = table_of(rows, width, "bf16")
    states = [untouched((rows,) if kind == "rowwise_adagrad" else (rows, width)) for _ in range(2)]
    states = states[: {"sgd": 0, "adam": 2, "lamb": 2}.get(kind, 1)]
    grad = Embedded(torch.ones(1, width), torch.zeros(0))
    bags = Bags(torch.tensor([[rows - 1]]), None, 1)
    backward_update([table], [states], layout, bags, grad, make_update(kind), backend="cpu")
    for tensor in (table, *states):
        assert bool((tensor[-1] != 0).all())
        flat = tensor.view(rows, -1)
        assert all(flat[row].count_nonzero() == 0 for row in aliases(flat, rows - 1))


def test_more_than_two_to_the_31_rows() -> None:
    rows = 2**32 - 1
    table, layout = table_of(rows, 1, "bf16")
    ids = torch.tensor([rows - 1, 2**31, 2**31 - 1, 5, rows - 1])
    grad = Embedded(torch.ones(5, 1), torch.zeros(0))
    backward_update([table], [], layout, Bags(ids.unsqueeze(1), None, 1), grad, plain_sgd(), backend="cpu")
    assert table[ids, 0].tolist() == [-2.0, -1.0, -1.0, -1.0, -2.0]
    assert table[[0, 4, 6, 2**31 - 2, 2**31 + 1, rows - 2], 0].count_nonzero() == 0
    assert embedding_bag([table], layout, Bags(ids[:1, None], None, 1), backend="cpu").pooled.item() == -2.0
    many = torch.full((40_000, 1), rows - 1)
    many[::2] = 2**31
    grad = Embedded(torch.ones(40_000, 1), torch.zeros(0))
    backward_update([table], [], layout, Bags(many, None, 1), grad, plain_sgd(2**-10), backend="cpu")
    assert float(table[rows - 1, 0]) == pytest.approx(-2 - 20_000 / 2**10, rel=0.01)
    assert table[[0, rows - 2], 0].count_nonzero() == 0
    with pytest.raises(IndexError, match="id 4294967295"):
        embedding_bag([table], layout, Bags(torch.tensor([[rows]]), None, 1), backend="cpu")


@pytest.mark.parametrize("bad", [-1, -2, -(2**31)])
def test_negative_ids_of_32_bits_are_not_rows_above_two_to_the_31(bad: int) -> None:
    table, layout = table_of(2**32 - 1, 1, "bf16")
    bags = Bags(torch.tensor([[5], [bad]], dtype=torch.int32), None, 1)
    with pytest.raises(IndexError, match=f"id {bad} at example 1"):
        embedding_bag([table], layout, bags, backend="cpu")
    grad = Embedded(torch.ones(2, 1), torch.zeros(0))
    with pytest.raises(IndexError, match=f"id {bad} at example 1"):
        backward_update([table], [], layout, bags, grad, plain_sgd(), backend="cpu")
    assert table[5, 0] == 0


def test_a_sparse_file(tmp_path: Path) -> None:
    rows, width = 2**25 + 1, 40  # 5 GiB
    with (tmp_path / "table").open("w+b") as file:
        file.truncate(rows * width * 4)
        memory = mmap.mmap(file.fileno(), 0)
    table = torch.frombuffer(memory, dtype=torch.float32).view(rows, width)
    layout = Layout((TableSpec("t", rows, width),), (FeatureSpec("f", 0),))
    bags, grad = Bags(torch.tensor([[rows - 1]]), None, 1), Embedded(torch.ones(1, width), torch.zeros(0))
    backward_update([table], [], layout, bags, grad, plain_sgd(), backend="cpu")
    with (tmp_path / "table").open("rb") as file:
        file.seek((rows - 1) * width * 4)
        assert file.read() == torch.full((width,), -1.0).numpy().tobytes()
    assert all(table[row].count_nonzero() == 0 for row in aliases(table, rows - 1))
