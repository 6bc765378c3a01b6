"""Artifacts whose tables are not all fp32."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from tests.artifact.saving import save_again
from torch import Tensor

from hotrow.artifact import Artifact, load_artifact, replace_tables, save_artifact, unpacked_model
from hotrow.data.raw import RawBlock
from hotrow.embedding import EmbeddingTables
from hotrow.errors import ArtifactError, UserError
from hotrow.kernels.quantize_rows import quantize_rows
from hotrow.kernels.row_formats import FLOAT_DTYPES, RowFormat, decode_rows, row_bytes

Seal = Callable[[Path], None]
FORMATS: tuple[RowFormat, ...] = get_args(RowFormat)


def stored(rows_ED: Tensor, row_format: RowFormat) -> Tensor:
    if row_format in FLOAT_DTYPES:
        return rows_ED.to(FLOAT_DTYPES[row_format])
    assert row_format in ("int8", "int4", "int2")
    return quantize_rows(rows_ED, row_format)


def weights_of(artifact: Artifact) -> dict[str, Tensor]:
    embeddings = artifact.model.embeddings
    assert isinstance(embeddings, EmbeddingTables)
    return {table.name: embeddings.table_weight(table.name) for table in embeddings.tables}


def converted(source: Artifact, formats: dict[str, RowFormat]) -> Artifact:
    weights = {name: stored(rows, formats[name]) for name, rows in weights_of(source).items()}
    return replace_tables(source, formats, weights)


def mixed(source: Artifact) -> dict[str, RowFormat]:
    names = [table.name for table in source.config.tables]
    return {name: FORMATS[(5 * index + 3) % 6] for index, name in enumerate(names)}


@pytest.fixture
def plain(criteo_run: Path) -> Artifact:
    return load_artifact(criteo_run)


@pytest.fixture
def mixed_artifact(plain: Artifact, tmp_path: Path) -> Path:
    """An artifact whose tables have all six formats in turn."""
    save_again(tmp_path / "mixed", converted(plain, mixed(plain)))
    return tmp_path / "mixed"


def rows(count: int) -> RawBlock:
    rng = np.random.default_rng(0)
    dense = rng.integers(-3, 5000, (count, 13)).astype(np.float64)
    return RawBlock(dense, rng.integers(0, 60, (26, count)).astype(np.uint64), None)


@pytest.mark.parametrize("row_format", FORMATS)
def test_every_format_comes_back_as_it_went(plain: Artifact, tmp_path: Path, row_format: RowFormat) -> None:
    small = converted(plain, dict.fromkeys(weights_of(plain), row_format))
    save_again(tmp_path / "m", small)
    again = load_artifact(tmp_path / "m")
    assert {table.format for table in again.config.tables} == {row_format}
    for name, weight in weights_of(small).items():
        assert torch.equal(weights_of(again)[name].view(torch.uint8), weight.view(torch.uint8)), name
    np.testing.assert_array_equal(again.score(rows(70)), small.score(rows(70)))
    content = json.loads((tmp_path / "m" / "model.json").read_text())
    assert {table["format"] for table in content["tables"]} == {row_format}


def test_scores_are_those_of_the_decoded_numbers(plain: Artifact, mixed_artifact: Path) -> None:
    found = load_artifact(mixed_artifact)
    decoded = {
        table.name: decode_rows(weights_of(found)[table.name], table.format, table.width)
        for table in found.config.tables
    }
    numbers = replace_tables(found, dict.fromkeys(decoded, "fp32"), decoded)
    np.testing.assert_allclose(found.score(rows(70)), numbers.score(rows(70)), rtol=1e-5)
    assert not np.array_equal(found.score(rows(70)), plain.score(rows(70)))


def test_replacing_tables_leaves_the_artifact(plain: Artifact) -> None:
    before = plain.score(rows(20))
    converted(plain, dict.fromkeys(weights_of(plain), "int2"))
    np.testing.assert_array_equal(plain.score(rows(20)), before)
    assert {table.format for table in plain.config.tables} == {"fp32"}


def test_tables_start_where_their_rows_do_not_straddle(mixed_artifact: Path) -> None:
    content = (mixed_artifact / "tables.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert (8 + length) % 64 == 0
    formats = {t["name"]: t for t in json.loads((mixed_artifact / "model.json").read_text())["tables"]}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        size = row_bytes(formats[name]["format"], formats[name]["width"])
        assert entry["data_offsets"][0] % (size & -size) == 0, name


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc to see mappings")
def test_quantised_tables_stay_in_their_file(mixed_artifact: Path) -> None:
    artifact = load_artifact(mixed_artifact)
    ranges = [
        [int(part, 16) for part in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith("mixed/tables.safetensors")
    ]
    for name, weight in weights_of(artifact).items():
        assert any(start <= weight.data_ptr() < end for start, end in ranges), name


def test_a_flipped_byte_of_any_table_is_refused(mixed_artifact: Path) -> None:
    path = mixed_artifact / "tables.safetensors"
    good = path.read_bytes()
    start = 8 + int.from_bytes(good[:8], "little")
    for position in range(start, len(good), (len(good) - start) // 40):
        bad = bytearray(good)
        bad[position] ^= 1
        path.write_bytes(bad)
        with pytest.raises(ArtifactError, match=re.escape(str(path))):
            load_artifact(mixed_artifact)


def test_artifacts_of_version_1_are_still_read(artifact: Path, sealed: Seal, plain: Artifact) -> None:
    path = artifact / "model.json"
    content = json.loads(path.read_text())
    content["format_version"] = 1
    for table in [*content["tables"], *content["model"]["config"]["tables"]]:
        assert table.pop("format") == "fp32"
    path.write_text(json.dumps(content))
    sealed(artifact)
    np.testing.assert_array_equal(load_artifact(artifact).score(rows(9)), plain.score(rows(9)))


FORGERIES: dict[str, tuple[dict[str, object], str]] = {
    "other format": ({"format": "int2"}, "table C1 is int2 (8, 16), the model's configuration needs int8"),
    "unknown format": ({"format": "int1"}, "format: got 'int1', expected fp32 or fp16"),
    "float dtype": ({"dtype": "F32"}, "tensor C1 is torch.uint8 (8, 24), model.json says torch.float32"),
    "width": ({"width": 8}, "tensor C1 is torch.uint8 (8, 24), model.json says torch.uint8 (8, 16)"),
    "rows": ({"rows": 10**15}, "model.json says torch.uint8 (1000000000000000, 24)"),
}


@pytest.mark.parametrize(("values", "message"), FORGERIES.values(), ids=FORGERIES.keys())
def test_forged_formats_are_refused(
    mixed_artifact: Path, sealed: Seal, values: dict[str, object], message: str
) -> None:
    path = mixed_artifact / "model.json"
    content = json.loads(path.read_text())
    assert content["tables"][0]["format"] == "int8"
    content["tables"][0].update(values)
    path.write_text(json.dumps(content))
    if "format" in values and values["format"] == "int2":  # a tensor that fits the forged entry
        _replace_tensor(mixed_artifact, "C1", torch.zeros(8, 8, dtype=torch.uint8))
    sealed(mixed_artifact)
    with pytest.raises(ArtifactError, match=re.escape(message)):
        load_artifact(mixed_artifact)


def test_bytes_that_pose_as_numbers_are_refused(mixed_artifact: Path, sealed: Seal) -> None:
    path = mixed_artifact / "model.json"
    content = json.loads(path.read_text())
    for place in (content["tables"][0], content["model"]["config"]["tables"][0]):
        place["format"] = "fp32"
    path.write_text(json.dumps(content))
    _replace_tensor(mixed_artifact, "C1", torch.zeros(8, 16, dtype=torch.uint8))
    sealed(mixed_artifact)
    with pytest.raises(ArtifactError, match="table C1 is fp32 in a tensor of U8, expected F32"):
        load_artifact(mixed_artifact)


def _replace_tensor(artifact: Path, name: str, tensor: Tensor) -> None:
    from safetensors.torch import load_file, save_file

    path = artifact / "tables.safetensors"
    tensors = {key: value.clone() for key, value in load_file(path).items()}
    save_file(tensors | {name: tensor}, path)


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_never_escapes_the_error_tree(mixed_artifact: Path, sealed: Seal, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = mixed_artifact / ["model.json", "tables.safetensors"][seed % 2]
    content = bytearray(path.read_bytes())
    for position in rng.integers(0, min(len(content), 6000), 3):
        content[position] = rng.integers(0, 256)
    path.write_bytes(content)
    sealed(mixed_artifact)
    try:
        load_artifact(mixed_artifact).score(rows(5))
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017 - damage may also go unnoticed


def test_a_table_that_is_not_what_its_configuration_says_is_not_written(
    plain: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"table C1: got \(torch\.float32"):
        save_artifact(
            tmp_path / "m",
            model=unpacked_model(plain),
            model_name=plain.name,
            model_config=plain.config.with_formats({"C1": "bf16"}),
            schema=plain.schema,
            vocab_folder=plain.path / "vocab",
            metrics={},
        )
    assert not (tmp_path / "m").exists()
