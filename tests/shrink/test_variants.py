from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hotrow.artifact import load_artifact
from hotrow.embedding import EmbeddingTables, TableConfig
from hotrow.kernels.quantize_rows import quantize_rows
from hotrow.progress import Progress, progress
from hotrow.shrink import variants as variants_module
from hotrow.shrink.variants import Variants, sizes_of


@pytest.fixture
def silent() -> Iterator[Progress]:
    with progress("test", None, "rows", show=False) as bar:
        yield bar


def tables(model: object) -> EmbeddingTables:
    assert isinstance(model, EmbeddingTables)
    return model


@pytest.mark.parametrize("slice_rows", [1, 7, 1000])
def test_tables_are_quantised_by_slices(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slice_rows: int, silent: Progress
) -> None:
    monkeypatch.setattr(variants_module, "SLICE_ROWS", slice_rows)
    (tmp_path / "scratch").mkdir()
    artifact = load_artifact(run)
    variants = Variants(artifact, tmp_path / "scratch", silent)
    found = variants.artifact({"C1": "int8", "C2": "int4", "C3": "int2", "C4": "fp32"})
    before, after = tables(artifact.model.embeddings), tables(found.model.embeddings)
    weight = before.table_weight
    assert torch.equal(after.table_weight("C1"), quantize_rows(weight("C1"), "int8"))
    assert torch.equal(after.table_weight("C2"), quantize_rows(weight("C2"), "int4", search="greedy"))
    assert torch.equal(after.table_weight("C3"), quantize_rows(weight("C3"), "int2", search="greedy"))
    assert after.table_weight("C4").data_ptr() == weight("C4").data_ptr()


def test_what_was_made_is_kept(run: Path, tmp_path: Path, silent: Progress) -> None:
    (tmp_path / "scratch").mkdir()
    variants = Variants(load_artifact(run), tmp_path / "scratch", silent)
    first = variants.artifact(variants.uniform("int4"))
    second = variants.artifact({**variants.uniform("int4"), "C2": "int2"})
    weights = [tables(made.model.embeddings).table_weight("C1") for made in (first, second)]
    assert weights[0].data_ptr() == weights[1].data_ptr()
    assert len(list((tmp_path / "scratch").iterdir())) == 5


def test_only_formats_that_make_a_table_smaller_are_offered() -> None:
    assert sizes_of(TableConfig(name="t", rows=10, width=16)).bytes == {
        "fp32": 640,
        "int8": 240,
        "int4": 120,
        "int2": 80,
    }
    assert sizes_of(TableConfig(name="t", rows=10, width=2)).bytes == {"fp32": 80, "int4": 50}
    assert sizes_of(TableConfig(name="t", rows=10, width=1)).bytes == {"fp32": 40}
    assert sizes_of(TableConfig(name="t", rows=1, width=6, format="bf16")).formats == ("bf16", "int4", "int2")


def test_a_table_of_numbers_beyond_float16_is_offered_8_bits_only(
    run: Path, tmp_path: Path, silent: Progress
) -> None:
    (tmp_path / "scratch").mkdir()
    variants = Variants(load_artifact(run), tmp_path / "scratch", silent)
    variants._weights["C1", "fp32"] = variants._weights["C1", "fp32"].clone()
    variants._weights["C1", "fp32"][2, 0] = 1e6
    offered = {sizes.name: set(sizes.bytes) for sizes in variants.sizes()}
    assert offered["C1"] <= {"fp32", "int8"}
    assert "int4" in offered["C2"]
