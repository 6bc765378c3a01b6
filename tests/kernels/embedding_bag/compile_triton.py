"""Compile every Triton kernel to machine code for an H200 (sm_90), without a GPU; run as a script.

Launches are caught and compiled instead of run, so ``TRITON_INTERPRET`` must not be set.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from hotrow.kernels.embedding_bag import triton as backend
from hotrow.kernels.embedding_bag._types import (
    STATES,
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    OptimizerKind,
    TableSpec,
    Update,
)
from hotrow.kernels.row_formats import FLOAT_DTYPES, RowFormat, storage_dtype, storage_shape

TARGET = GPUTarget("cuda", 90, 32)
TYPES = {
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.int32: "*i32",
    torch.int64: "*i64",
    torch.uint8: "*u8",
}
compiled: dict[str, str] = {}


def main() -> None:
    JITFunction.run = compile_launch
    vars(backend)["on_device"] = lambda _device: nullcontext()
    torch.empty = torch.zeros  # type: ignore[assignment]  # keys that nothing wrote are rows that exist
    for row_format in ("fp32", "fp16", "bf16", "int8", "int4", "int2"):
        for jagged in (False, True):
            launch_lookups(row_format, jagged)
    for kind in STATES:
        launch_update("fp32", kind)
    launch_update("bf16", "rowwise_adagrad")
    launch_update("fp16", "adam")
    launch_smallest()
    wide = sum("ld.global.v4" in assembly for assembly in compiled.values())
    print(f"{len(compiled)} kernels compiled, {wide} with loads of 16 bytes")


def problem(row_format: RowFormat, jagged: bool) -> tuple[list[torch.Tensor], Layout, Bags, Embedded]:
    """Return one table looked up by four features, all poolings, 130 times each."""
    layout = Layout(
        (TableSpec("t", 9, 64, row_format),),
        (
            FeatureSpec("sum", 0),
            FeatureSpec("mean", 0, "mean", padding=-1),
            FeatureSpec("rows", 0, "none"),
        ),
    )
    table = torch.zeros(storage_shape(row_format, 9, 64), dtype=storage_dtype(row_format))
    ids = torch.zeros((390,) if jagged else (130, 3), dtype=torch.int32)
    offsets = torch.arange(391) if jagged else None
    bags = Bags(ids, offsets, 3, torch.ones(ids.shape) if jagged else None)
    return [table], layout, bags, Embedded(torch.zeros(130, 128), torch.zeros(130 * 64))


def launch_smallest() -> None:
    """One bag of one feature, D = 1: Triton makes constants of arguments that are 1."""
    layout, table = Layout((TableSpec("t", 1, 1),), (FeatureSpec("f", 0),)), torch.zeros(1, 1)
    for offsets, ids in ((None, torch.zeros(1, 1).int()), (torch.arange(2), torch.zeros(1).long())):
        bags = Bags(ids, offsets, 1)
        backend.forward([table], layout, bags)
        grad = Embedded(torch.zeros(1, 1), torch.zeros(0))
        backend.backward_update([table], [], layout, bags, grad, Update(kind="sgd", lr=0.1))


def launch_lookups(row_format: RowFormat, jagged: bool) -> None:
    tables, layout, bags, grad = problem(row_format, jagged)
    backend.forward(tables, layout, bags)
    if jagged:
        backend.weights_gradient(tables, layout, bags, grad)


def launch_update(row_format: RowFormat, kind: OptimizerKind) -> None:
    assert row_format in FLOAT_DTYPES
    for jagged in (False, True):
        tables, layout, bags, grad = problem(row_format, jagged)
        states = [[torch.zeros(9) if kind == "rowwise_adagrad" else torch.zeros(9, 64) for _ in STATES[kind]]]
        decay: Any = "decoupled" if jagged else "l2"
        update = Update(kind=kind, lr=0.1, weight_decay=0.1, decay=decay, clip_value=1.0, clip_norm=1.0)
        backend.backward_update(tables, states, layout, bags, grad, update)


def compile_launch(kernel: JITFunction[Any], *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> None:
    names = [parameter.name for parameter in kernel.params]
    given = dict(zip(names, args, strict=False)) | kwargs
    num_warps = given.pop("num_warps", 4)
    ones = {name for name, value in given.items() if isinstance(value, int) and value == 1}
    constants = {p.name: given[p.name] for p in kernel.params if p.is_constexpr or p.name in ones}
    signature = {name: "constexpr" if name in constants else type_of(given[name]) for name in names}
    aligned = {(i,): [["tt.divisibility", 16]] for i, name in enumerate(names) if signature[name][0] == "*"}
    name = f"{kernel.__name__} {signature} {constants}"
    if name not in compiled:
        source = ASTSource(kernel, signature, constants, aligned)
        compiled[name] = triton.compile(source, target=TARGET, options={"num_warps": num_warps}).asm["ptx"]


def type_of(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return TYPES[value.dtype]
    if isinstance(value, float):
        return "fp32"
    assert isinstance(value, int)
    return "i32" if -(2**31) <= value < 2**31 else "i64"


if __name__ == "__main__":
    assert os.environ.get("TRITON_INTERPRET") != "1"
    main()
