from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hotrow.artifact import find_artifact, load_artifact
from hotrow.errors import ArtifactError, MissingFileError, SchemaMismatchError, UserError

Edit = Callable[[Callable[[dict[str, Any]], object]], None]
Seal = Callable[[Path], None]


def test_a_run_and_its_artifact_are_both_found(criteo_run: Path) -> None:
    assert find_artifact(criteo_run) == find_artifact(criteo_run / "model") == criteo_run / "model"


@pytest.mark.parametrize("name", ["absent", "empty", "file"])
def test_a_path_without_artifact_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(MissingFileError, match=f"{name}/model/model.json: not found, expected a model"):
        load_artifact(tmp_path / name)


def _positions(size: int) -> list[int]:
    return sorted({position for position in (0, 7, size // 3, size // 2, size - 1) if 0 <= position < size})


def test_a_flipped_byte_anywhere_is_refused_naming_the_file(artifact: Path) -> None:
    files = [path for path in artifact.rglob("*") if path.is_file()]
    assert len(files) == 4 + 26
    for path in files:
        good = path.read_bytes()
        for position in _positions(len(good)):
            bad = bytearray(good)
            bad[position] ^= 0x40
            path.write_bytes(bad)
            with pytest.raises(ArtifactError, match=re.escape(str(path))) as caught:
                load_artifact(artifact)
            assert "\n" not in str(caught.value)
        path.write_bytes(good)
    load_artifact(artifact)


def test_a_file_cut_short_is_refused_without_hashes_too(artifact: Path) -> None:
    for path in [path for path in artifact.rglob("*") if path.is_file()]:
        good = path.read_bytes()
        path.write_bytes(good[:-1])
        with pytest.raises(ArtifactError, match=re.escape(str(path))):
            load_artifact(artifact, verify=False)
        path.write_bytes(good)


def test_a_missing_file_is_refused(artifact: Path, tmp_path: Path) -> None:
    for path in [path for path in artifact.rglob("*") if path.is_file()]:
        shutil.move(path, tmp_path / "aside")
        with pytest.raises(ArtifactError, match=re.escape(str(path))):
            load_artifact(artifact)
        shutil.move(tmp_path / "aside", path)


@pytest.mark.parametrize("name", ["dense.safetensors", "tables.safetensors", "vocab/C3.arrow", "model.json"])
def test_a_file_missing_from_files_and_list_is_refused(artifact: Path, sealed: Seal, name: str) -> None:
    (artifact / name).unlink()
    sealed(artifact)
    with pytest.raises(ArtifactError, match=f"{name}: missing"):
        load_artifact(artifact)


def test_code_is_refused(artifact: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (artifact.parent / "owned",))

    (artifact / "dense.safetensors").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ArtifactError):
        load_artifact(artifact)
    (artifact / "checksums.json").unlink()
    with pytest.raises(ArtifactError):
        load_artifact(artifact, verify=False)
    assert not (artifact.parent / "owned").exists()


def _set(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        node: Any = content
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


MANIFESTS = {
    "newer": (_set("format_version", value=5), "format_version 5, this version of hotrow reads 1, 2, 3, 4"),
    "no version": (lambda content: content.pop("format_version"), "format_version None"),
    "bad field": (_set("tables", 0, "rows", value="many"), r"tables\[0\]\.rows: got 'many'"),
    "new field": (_set("loader", value="os.system"), "loader: got 'os.system'"),
    "no metrics": (lambda content: content.pop("metrics"), "metrics"),
    "unknown model": (_set("model", "name", value="skynet"), "model.name: got 'skynet'"),
    "preset": (_set("model", "config", value={}), "model.config"),
    "bad config": (_set("model", "config", "top", value=[0, 1]), "top: got"),
    "unknown field": (_set("model", "config", "hidden", value=[1]), "hidden"),
    "path": (_set("dense", 0, "file", value="../../etc/passwd"), "refused the file name"),
    "other file": (_set("dense", 0, "file", value="vocab/C1.arrow"), "not a readable safetensors file"),
    "absent file": (_set("dense", 0, "file", value="none.safetensors"), "none.safetensors: missing"),
    "type": (_set("tables", 3, "dtype", value="F64"), "C4: element type 'F64'"),
    "other type": (_set("dense", 0, "dtype", value="I64"), "model.json says torch.int64"),
    "shape": (_set("dense", 0, "shape", value=[1, 2]), "model.json says torch.float32 (1, 2)"),
    "table shape": (_set("tables", 3, "rows", value=99), "model.json says torch.float32 (99, 16)"),
    "name": (_set("dense", 1, "name", value="other"), "is not listed in model.json"),
    "huge network": (_set("model", "config", "bottom", value=[2**40, 16]), "the artifact has"),
    "other network": (_set("model", "config", "bottom", value=[32, 16]), "tensor bottom"),
    "bad schema": (_set("schema", "dense", 0, "transform", value="exec"), "schema.dense"),
    "odds of none": (
        _set("correction", value={"odds": [0.5, 0.5]}),
        "correction.odds: 2 numbers, expected one",
    ),
    "no odds": (_set("correction", value={"odds": [0]}), "correction.odds: got 0.0"),
    "odd odds": (_set("correction", value={"odds": [float("nan")]}), "correction.odds"),
}


@pytest.mark.parametrize(("change", "message"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_forged_manifest_is_refused(
    edit_manifest: Edit, artifact: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit_manifest(change)
    with pytest.raises(ArtifactError, match=r"model\.json|safetensors") as caught:
        load_artifact(artifact)
    assert re.search(
        message.replace("(1, 2)", r"\(1, 2\)").replace("(99, 16)", r"\(99, 16\)"), str(caught.value)
    )
    assert "\n" not in str(caught.value)


def _drop_feature(content: dict[str, Any]) -> None:
    content["schema"]["categorical"].pop(4)


MISMATCHES = {
    "rows": (
        _set("schema", "categorical", 2, "rows", value=11),
        "table C3 has 10 rows, the schema encodes it to 11",
    ),
    "features": (_drop_feature, "the schema has categorical features"),
    "name": (_set("schema", "categorical", 2, "name", value="../C3"), "the schema has categorical features"),
    "dense": (lambda c: c["schema"]["dense"].pop(), "the model takes 13 dense features, the schema has 12"),
}


@pytest.mark.parametrize(("change", "message"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_a_schema_that_does_not_match_the_model_is_told(
    edit_manifest: Edit, artifact: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit_manifest(change)
    with pytest.raises(SchemaMismatchError, match=message):
        load_artifact(artifact)


def test_a_vocabulary_path_never_leaves_the_artifact(
    edit_manifest: Edit, artifact: Path, tmp_path: Path
) -> None:
    shutil.copy(artifact / "vocab" / "C3.arrow", tmp_path / "C3.arrow")

    def rename(content: dict[str, Any]) -> None:
        _set("schema", "categorical", 2, "name", value="../../C3")(content)
        _set("model", "config", "tables", 2, "name", value="../../C3")(content)

    edit_manifest(rename)
    with pytest.raises(ArtifactError):
        load_artifact(artifact)


@pytest.mark.parametrize("extra", [{"secret": torch.zeros(3)}, {}], ids=["surplus", "missing"])
def test_tensors_that_the_manifest_does_not_list(
    artifact: Path, sealed: Seal, extra: dict[str, torch.Tensor]
) -> None:
    tensors = load_file(artifact / "dense.safetensors")
    if not extra:
        tensors.pop("top.layers.0.bias")
    save_file(tensors | extra, artifact / "dense.safetensors")
    sealed(artifact)
    name = "secret is not listed" if extra else "top.layers.0.bias is missing"
    with pytest.raises(ArtifactError, match=f"tensor {name}"):
        load_artifact(artifact)


def test_tensors_of_another_type_or_shape(artifact: Path, sealed: Seal) -> None:
    tensors = load_file(artifact / "tables.safetensors")
    for changed in (tensors["C5"].double(), tensors["C5"][:-1], tensors["C5"].T.contiguous()):
        save_file(tensors | {"C5": changed}, artifact / "tables.safetensors")
        sealed(artifact)
        with pytest.raises(ArtifactError, match=r"tables\.safetensors: tensor C5 is torch\.float"):
            load_artifact(artifact)


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0", b"pickle", bytes(1000)], ids=range(4))
def test_a_vocabulary_that_is_none(artifact: Path, sealed: Seal, content: bytes) -> None:
    (artifact / "vocab" / "C7.arrow").write_bytes(content)
    sealed(artifact)
    with pytest.raises(ArtifactError, match=r"C7\.arrow"):
        load_artifact(artifact)


def test_a_vocabulary_that_says_it_is_longer_than_it_is(artifact: Path, sealed: Seal) -> None:
    path = artifact / "vocab" / "C7.arrow"  # 12 keys: buffers of 96 bytes
    content = path.read_bytes()
    length, short = (96).to_bytes(8, "little"), (16).to_bytes(8, "little")
    assert content.count(length) >= 2
    path.write_bytes(content.replace(length, short))
    sealed(artifact)
    with pytest.raises(ArtifactError, match=r"C7\.arrow"):
        load_artifact(artifact)


def test_a_vocabulary_of_another_feature(artifact: Path, sealed: Seal) -> None:
    shutil.copy(artifact / "vocab" / "C8.arrow", artifact / "vocab" / "C7.arrow")
    sealed(artifact)
    with pytest.raises(SchemaMismatchError, match="vocab: C7: the schema has 14 rows"):
        load_artifact(artifact)


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_with_right_checksums_never_escapes_the_error_tree(
    artifact: Path, sealed: Seal, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    path = artifact / ["model.json", "dense.safetensors", "tables.safetensors", "vocab/C7.arrow"][seed % 4]
    content = bytearray(path.read_bytes())
    for position in rng.integers(0, min(len(content), 2000), 3):
        content[position] = rng.integers(0, 256)
    path.write_bytes(content)
    sealed(artifact)
    try:
        load_artifact(artifact)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017 - damage may also go unnoticed


def test_loading_leaves_the_random_state(criteo_run: Path) -> None:
    before = torch.get_rng_state()
    load_artifact(criteo_run)
    assert torch.equal(before, torch.get_rng_state())


def test_metrics_are_kept_as_json(criteo_run: Path) -> None:
    assert load_artifact(criteo_run).metrics == {"auc": 0.5, "ne": None}
    assert json.loads((criteo_run / "model" / "model.json").read_text())["metrics"]["ne"] is None
