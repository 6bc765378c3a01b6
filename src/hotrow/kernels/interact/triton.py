"""The dot interaction in Triton, for CUDA devices; TRITON_INTERPRET=1 runs it on the host.

Forward takes one block of pairs of one example at a time, backward one block of the gradient; both
multiply blocks of at least 16 x 16 and accumulate in float32. bfloat16 operands are widened and
multiplied as TF32, which holds them exactly; float32 operands are multiplied as such.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from hotrow.kernels._triton import on_device
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.interact.reference import num_pairs

MOST = 64  # rows and columns of a block


def forward(x_BFD: Tensor) -> Tensor:
    """Return x_0 beside the lower triangle of X X^T: (B, D + P)."""
    note_path("dot_interaction_forward", "triton")
    x_BFD = x_BFD.contiguous()
    batch, vectors, width = x_BFD.shape
    out = torch.empty((batch, width + num_pairs(vectors)), dtype=x_BFD.dtype, device=x_BFD.device)
    rows, columns = _block(vectors), _block(width)
    blocks = triton.cdiv(vectors, rows)
    if batch > 0:
        grid = (batch, blocks, blocks)
        sizes = {"ROWS": rows, "COLUMNS": columns, "PRECISION": _precision(x_BFD)}
        with on_device(x_BFD.device):
            _forward_kernel[grid](x_BFD, out, vectors, width, **sizes)
    return out


def backward(grad: Tensor, x_BFD: Tensor) -> Tensor:
    """Return the gradient of x: (B, F, D)."""
    note_path("dot_interaction_backward", "triton")
    grad, x_BFD = grad.contiguous(), x_BFD.contiguous()
    batch, vectors, width = x_BFD.shape
    grad_x_BFD = torch.empty_like(x_BFD)
    rows, columns = _block(vectors), _block(width)
    if batch > 0:
        grid = (batch, triton.cdiv(vectors, rows), triton.cdiv(width, columns))
        sizes = {"ROWS": rows, "COLUMNS": columns, "PRECISION": _precision(x_BFD)}
        with on_device(x_BFD.device):
            _backward_kernel[grid](grad, x_BFD, grad_x_BFD, vectors, width, **sizes)
    return grad_x_BFD


def _precision(x: Tensor) -> str:
    return "tf32" if x.dtype == torch.bfloat16 else "ieee"


def _block(size: int) -> int:
    power: int = triton.next_power_of_2(size)
    return min(MOST, max(16, power))


@triton.jit
def _load(start, row, rows, column, columns, stride):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    is_there = (row[:, None] < rows) & (column[None, :] < columns)
    block = tl.load(start + row[:, None] * stride + column[None, :], mask=is_there, other=0.0)
    return block.to(tl.float32)


@triton.jit  # type: ignore[untyped-decorator]
def _forward_kernel(  # type: ignore[no-untyped-def]  # noqa: ANN202
    x,  # noqa: ANN001
    out,  # noqa: ANN001
    vectors,  # noqa: ANN001
    width,  # noqa: ANN001
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    row_block, column_block = tl.program_id(1), tl.program_id(2)
    if column_block > row_block:
        return
    example = tl.program_id(0).to(tl.int64)
    x += example * vectors * width
    out += example * (width + vectors * (vectors - 1) // 2)
    i = row_block * ROWS + tl.arange(0, ROWS)
    j = column_block * ROWS + tl.arange(0, ROWS)
    sums = tl.zeros((ROWS, ROWS), dtype=tl.float32)
    for first in range(0, width, COLUMNS):
        d = first + tl.arange(0, COLUMNS)
        left = _load(x, i, vectors, d, width, width)
        right = _load(x, j, vectors, d, width, width)
        sums = tl.dot(left, tl.trans(right), sums, input_precision=PRECISION)
        if row_block == 0:
            tl.store(out + d, tl.load(x + d, mask=d < width), mask=d < width)
    place = i[:, None] * (i[:, None] - 1) // 2 + j[None, :]
    is_pair = (j[None, :] < i[:, None]) & (i[:, None] < vectors)
    tl.store(out + width + place, sums.to(out.dtype.element_ty), mask=is_pair)


@triton.jit  # type: ignore[untyped-decorator]
def _backward_kernel(  # type: ignore[no-untyped-def]  # noqa: ANN202
    grad,  # noqa: ANN001
    x,  # noqa: ANN001
    grad_x,  # noqa: ANN001
    vectors,  # noqa: ANN001
    width,  # noqa: ANN001
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    example = tl.program_id(0).to(tl.int64)
    grad += example * (width + vectors * (vectors - 1) // 2)
    x += example * vectors * width
    grad_x += example * vectors * width
    i = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    d = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    sums = _load(grad, i, 1, d, width, 0)  # x_0's own gradient, for row 0
    for first in range(0, vectors, ROWS):
        j = first + tl.arange(0, ROWS)
        upper = tl.maximum(i[:, None], j[None, :])
        lower = tl.minimum(i[:, None], j[None, :])
        is_pair = (lower < upper) & (upper < vectors)
        g = tl.load(grad + width + upper * (upper - 1) // 2 + lower, mask=is_pair, other=0.0)
        right = _load(x, j, vectors, d, width, width)
        sums = tl.dot(g.to(tl.float32), right, sums, input_precision=PRECISION)
    to = grad_x + i[:, None] * width + d[None, :]
    tl.store(to, sums.to(grad_x.dtype.element_ty), mask=(i[:, None] < vectors) & (d[None, :] < width))
