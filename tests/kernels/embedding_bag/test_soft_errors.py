"""Checksums: sound lookups never fail, flipped bits are found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from hotrow.errors import SoftErrorDetected
from hotrow.kernels import BackendName, available_backends
from hotrow.kernels.embedding_bag import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    Pooling,
    TableSpec,
    embedding_bag,
    make_checksums,
    verify_lookup,
)
from hotrow.kernels.row_formats import FLOAT_DTYPES, RowFormat, payload_bytes, row_bytes

BACKENDS: tuple[BackendName, ...] = tuple(b for b in available_backends("embedding_bag") if b != "triton")
FORMATS: tuple[RowFormat, ...] = get_args(RowFormat)
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
ROWS = 23

any_settings = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def draw_table(row_format: RowFormat, rows: int, width: int, rng: np.random.Generator) -> Tensor:
    values = rng.normal(size=(rows, width)) * 10.0 ** rng.uniform(-3, 3, size=(rows, 1))
    if row_format in FLOAT_DTYPES:
        return torch.from_numpy(values).to(FLOAT_DTYPES[row_format])
    stored = rng.integers(0, 256, size=(rows, row_bytes(row_format, width)), dtype=np.uint8)
    parameters = rng.normal(size=(rows, 2)).astype(np.float32 if row_format == "int8" else np.float16)
    stored[:, payload_bytes(row_format, width) :] = parameters.view(np.uint8)
    return torch.from_numpy(stored)


@dataclass
class Case:
    """A table, a feature and one batch; padding is id 0 where there is any."""

    table: Tensor
    layout: Layout
    bags: Bags

    @property
    def used(self) -> list[int]:
        padding = self.layout.features[0].padding
        return sorted(set(self.bags.ids.flatten().tolist()) - {padding})


def draw_case(
    row_format: RowFormat,
    pooling: Pooling,
    *,
    width: int,
    bag: int | None,
    weighted: bool,
    padded: bool,
    seed: int,
    batch: int = 9,
) -> Case:
    """``bag``: the most lookups of a bag; None: one each, without offsets."""
    rng = np.random.default_rng(seed)
    layout = Layout(
        (TableSpec("t", ROWS, width, row_format),), (FeatureSpec("f", 0, pooling, 0 if padded else None),)
    )
    lengths = rng.integers(0, (bag or 0) + 1, size=batch) if bag is not None else np.ones(batch, np.int64)
    ids = torch.from_numpy(rng.integers(0, ROWS, size=int(lengths.sum()), dtype=np.int32))
    offsets = None if bag is None else torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]))
    ids = ids.view(-1, 1) if bag is None else ids
    weights = torch.from_numpy(rng.normal(size=tuple(ids.shape)).astype(np.float32)) if weighted else None
    return Case(draw_table(row_format, ROWS, width, rng), layout, Bags(ids, offsets, 1, weights))


cases = st.builds(
    draw_case,
    st.sampled_from(FORMATS),
    st.sampled_from(POOLINGS),
    width=st.integers(1, 80),
    bag=st.none() | st.integers(0, 40),
    weighted=st.booleans(),
    padded=st.booleans(),
    seed=st.integers(0, 2**32),
)


@contextmanager
def flipped(tensor: Tensor, bit: int, row: int | None = None) -> Iterator[None]:
    """Flip a bit of a tensor's memory, or of one of its rows, for a while."""
    memory = (tensor if row is None else tensor[row]).view(torch.uint8).view(-1)
    memory[bit // 8] ^= 1 << (bit % 8)
    yield
    memory[bit // 8] ^= 1 << (bit % 8)


@pytest.mark.parametrize("backend", BACKENDS)
@given(case=cases)
@any_settings
def test_sound_lookups_pass_and_are_the_same(backend: BackendName, case: Case) -> None:
    checksums = make_checksums([case.table], case.layout, backend=backend)
    checked = embedding_bag([case.table], case.layout, case.bags, checksums=checksums, backend=backend)
    plain = embedding_bag([case.table], case.layout, case.bags, backend=backend)
    assert torch.equal(checked.pooled, plain.pooled)
    assert torch.equal(checked.sequences, plain.sequences)
    verify_lookup([case.table], case.layout, case.bags, checksums, plain, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@given(case=cases, data=st.data())
@any_settings
def test_any_flipped_bit_of_a_row_is_found(backend: BackendName, case: Case, data: st.DataObject) -> None:
    if not case.used:
        return
    checksums = make_checksums([case.table], case.layout, backend=backend)
    row = data.draw(st.sampled_from(case.used))
    bit = data.draw(st.integers(0, case.table[row].nbytes * 8 - 1))
    with flipped(case.table, bit, row):
        embedding_bag([case.table], case.layout, case.bags, backend=backend)
        with pytest.raises(
            SoftErrorDetected, match=r"^table t: .* feature f .* load the artifact again"
        ) as found:
            embedding_bag([case.table], case.layout, case.bags, checksums=checksums, backend=backend)
    assert found.value.example == first_example(case, row)


def first_example(case: Case, row: int) -> int:
    place = int((case.bags.ids.flatten() == row).nonzero()[0])
    if case.bags.offsets is None:
        return place
    return int(torch.searchsorted(case.bags.offsets, place, right=True)) - 1


@pytest.mark.parametrize("backend", BACKENDS)
@given(case=cases, data=st.data())
@any_settings
def test_a_flipped_high_bit_of_a_result_is_found(
    backend: BackendName, case: Case, data: st.DataObject
) -> None:
    checksums = make_checksums([case.table], case.layout, backend=backend)
    result = embedding_bag([case.table], case.layout, case.bags, backend=backend)
    values = result.sequences if case.layout.features[0].pooling == "none" else result.pooled
    if not values.numel():
        return
    place = data.draw(st.integers(0, values.numel() - 1))
    with flipped(values, place * 32 + 30), pytest.raises(SoftErrorDetected):  # the highest of the exponent
        verify_lookup([case.table], case.layout, case.bags, checksums, result, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bit", [0, 7, 31])
def test_a_row_looked_up_many_times_does_not_cancel(backend: BackendName, bit: int) -> None:
    layout = Layout((TableSpec("t", 2, 4),), (FeatureSpec("f", 0),))
    table = torch.ones(2, 4)
    checksums = make_checksums([table], layout, backend=backend)
    with flipped(table, bit, 1):
        for count in (256, 512, 1000):
            bags = Bags(torch.ones(count, dtype=torch.int64), torch.tensor([0, count]), 1)
            with pytest.raises(SoftErrorDetected):
                embedding_bag([table], layout, bags, checksums=checksums, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_errors_that_all_point_one_way_are_within_the_bound(backend: BackendName, pooling: Pooling) -> None:
    layout = Layout((TableSpec("t", 3, 48),), (FeatureSpec("f", 0, pooling),))
    table = torch.tensor([[0.1], [1e-3], [16777215.0]]).expand(3, 48).contiguous()
    ids = torch.cat([torch.full((30_000,), 0), torch.tensor([2]), torch.full((30_000,), 1)])
    bags = Bags(ids, torch.tensor([0, 30_000, 60_001]), 1, None)
    checksums = make_checksums([table], layout, backend=backend)
    embedding_bag([table], layout, bags, checksums=checksums, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("value", [float("inf"), float("nan"), -float("nan"), 3e38, 1e-39, 1e-45, 0.0])
@pytest.mark.parametrize("flush", [False, True])
def test_extreme_rows_are_sound(backend: BackendName, value: float, flush: bool) -> None:
    layout = Layout((TableSpec("t", 2, 20),), (FeatureSpec("f", 0),))
    table = torch.full((2, 20), value)
    checksums = make_checksums([table], layout, backend=backend)
    weights = torch.tensor([1.0, 0.5, 1e-3, 1e-20])
    torch.set_flush_denormal(flush)
    try:
        for given_weights in (None, weights):
            bags = Bags(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 4, 4]), 1, given_weights)
            embedding_bag([table], layout, bags, checksums=checksums, backend=backend)
        with flipped(table, 9, 1), pytest.raises(SoftErrorDetected):
            embedding_bag([table], layout, bags, checksums=checksums, backend=backend)
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_that_are_no_numbers_are_sound(backend: BackendName) -> None:
    layout = Layout((TableSpec("t", 2, 4),), (FeatureSpec("f", 0),))
    table = torch.ones(2, 4)
    checksums = make_checksums([table], layout, backend=backend)
    bags = Bags(torch.tensor([[0], [1]]), None, 1, torch.tensor([[float("nan")], [float("inf")]]))
    embedding_bag([table], layout, bags, checksums=checksums, backend=backend)


@pytest.mark.skipif("cpu" not in BACKENDS, reason="the compiled kernels are not installed")
@given(case=cases)
@any_settings
def test_backends_make_the_same_checksums(case: Case) -> None:
    mine, theirs = (
        make_checksums([case.table], case.layout, backend=backend)[0].numpy() for backend in BACKENDS
    )
    np.testing.assert_array_equal(mine[:, 6:], theirs[:, 6:])
    sums = [checksum[:, :4].copy().view(np.float32) for checksum in (mine, theirs)]
    halves = [checksum[:, 4:6].copy().view(np.uint16).astype(np.int64) for checksum in (mine, theirs)]
    magnitude = (halves[0] << 16).astype(np.int32).view(np.float32)[:, ::2]
    assert (np.abs(sums[0] - sums[1]) <= 1e-6 * magnitude).all()
    assert (np.abs(halves[0] - halves[1]) <= 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_fault_is_named_whatever_the_number_of_threads(backend: BackendName) -> None:
    rng = np.random.default_rng(0)
    layout = Layout(
        tuple(TableSpec(f"t{t}", 500, 64) for t in range(3)), tuple(FeatureSpec(f"f{t}", t) for t in range(3))
    )
    tables = [draw_table("fp32", 500, 64, rng) for _ in range(3)]
    checksums = make_checksums(tables, layout, backend=backend)
    ids = torch.from_numpy(rng.integers(0, 500, size=(900, 3)))
    jagged = Bags(ids.T.reshape(-1), torch.arange(2701), 3)
    expected = int((ids[:, 1] == 77).nonzero()[0])
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made = make_checksums(tables, layout, backend=backend)
            assert all(torch.equal(mine, theirs) for mine, theirs in zip(made, checksums, strict=True))
            for bags in (Bags(ids, None, 3), jagged):
                embedding_bag(tables, layout, bags, checksums=checksums, backend=backend)
                with (
                    flipped(tables[1], 5, 77),
                    flipped(tables[2], 5, int(ids[0, 2])),
                    pytest.raises(SoftErrorDetected) as found,
                ):
                    embedding_bag(tables, layout, bags, checksums=checksums, backend=backend)
                assert (found.value.feature, found.value.table) == ("f1", "t1")
                assert found.value.example == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bad_id_comes_before_a_fault(backend: BackendName) -> None:
    layout = Layout((TableSpec("t", 2, 4),), (FeatureSpec("f", 0),))
    table = torch.ones(2, 4)
    checksums = make_checksums([table], layout, backend=backend)
    bags = Bags(torch.tensor([[0], [2]]), None, 1)
    with flipped(table, 5, 0), pytest.raises(IndexError, match="id 2"):
        embedding_bag([table], layout, bags, checksums=checksums, backend=backend)
    result = Embedded(torch.ones(2, 4), torch.ones(0))
    with pytest.raises(IndexError, match="id 2"):
        verify_lookup([table], layout, bags, checksums, result, backend=backend)


def test_checksums_that_do_not_fit_are_refused() -> None:
    layout = Layout((TableSpec("t", 2, 4),), (FeatureSpec("f", 0),))
    table, bags = torch.ones(2, 4), Bags(torch.tensor([[0]]), None, 1)
    for wrong in (torch.zeros(3, 8, dtype=torch.uint8), torch.zeros(2, 8)):
        with pytest.raises(ValueError, match=r"checksums of table t: got .* expected torch.uint8 \(2, 8\)"):
            embedding_bag([table], layout, bags, checksums=[wrong])
    with pytest.raises(ValueError, match="got those of 0 tables, expected 1"):
        embedding_bag([table], layout, bags, checksums=[])


@pytest.mark.skipif("cpu" not in BACKENDS, reason="the compiled kernels are not installed")
def test_same_checksums_and_verdicts_with_every_instruction_set() -> None:
    digests = dict(_digest(variant) for variant in ("baseline", "avx2", "avx512"))
    assert len(set(digests.values())) == 1


def _digest(instruction_set: str) -> tuple[str, str]:
    environment = {**os.environ, "HOTROW_ISA": instruction_set}
    run = subprocess.run(
        [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
    )
    variant, digest = run.stdout.split()
    return variant, digest


DIGEST = """
import hashlib
import torch
from hotrow import _kernels
from hotrow.errors import SoftErrorDetected
from hotrow.kernels.embedding_bag import *
from hotrow.kernels.row_formats import row_bytes

torch.manual_seed(0)
digest = hashlib.sha256()
for width in (1, 7, 16, 40, 77, 130):
    for form in ("fp32", "fp16", "bf16", "int8", "int4", "int2"):
        layout = Layout((TableSpec("t", 50, width, form),), (FeatureSpec("f", 0),))
        dtype = {"fp32": torch.float32, "fp16": torch.half, "bf16": torch.bfloat16}.get(form)
        if dtype is not None:
            table = torch.randn(50, width).to(dtype)
        else:
            table = torch.randint(0, 64, (50, row_bytes(form, width)), dtype=torch.uint8)
        checksums = make_checksums([table], layout, backend="cpu")
        bags = Bags(torch.randint(0, 50, (400,)), torch.arange(0, 401, 4), 1)
        result = embedding_bag([table], layout, bags, checksums=checksums, backend="cpu")
        digest.update(checksums[0].numpy().tobytes() + result.pooled.numpy().tobytes())
        for bit in range(32):
            result.pooled.view(torch.int32)[7, 0] ^= 1 << bit if bit < 31 else -(1 << 31)
            try:
                verify_lookup([table], layout, bags, checksums, result, backend="cpu")
                digest.update(b"0")
            except SoftErrorDetected as error:
                digest.update(str(error).encode())
            result.pooled.view(torch.int32)[7, 0] ^= 1 << bit if bit < 31 else -(1 << 31)
print(_kernels.instruction_set(), digest.hexdigest())
"""
