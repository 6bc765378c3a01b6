"""Artifacts whose networks are not float32."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.artifact.saving import save_again

from hotrow.artifact import Artifact, load_artifact, on_device, replace_networks
from hotrow.artifact._tensors import read_tensors, write_tensors
from hotrow.data.raw import RawBlock
from hotrow.errors import ArtifactError, BackendUnavailableError
from hotrow.layers.inference import Networks, Quantization, can_compute, convert

Edit = Callable[[Callable[[dict[str, Any]], object]], None]
Seal = Callable[[Path], None]

LAYER = "top.layers.0"
INT8 = Networks(precision="int8", inputs={LAYER: Quantization(scale=0.05, zero_point=100)})
NETWORKS = (Networks(), Networks(precision="bf16"), INT8)


@pytest.fixture(scope="module")
def plain(criteo_run: Path) -> Artifact:
    return load_artifact(criteo_run)


def save(folder: Path, artifact: Artifact, networks: Networks) -> Path:
    save_again(folder, artifact, networks)
    return folder


def rows(count: int) -> RawBlock:
    rng = np.random.default_rng(0)
    dense = rng.integers(-3, 5000, (count, 13)).astype(np.float64)
    return RawBlock(dense, rng.integers(0, 60, (26, count)).astype(np.uint64), None)


@pytest.mark.parametrize("networks", NETWORKS, ids=lambda networks: networks.precision)
def test_survive_being_saved_and_loaded(plain: Artifact, tmp_path: Path, networks: Networks) -> None:
    if not can_compute(networks.precision):
        pytest.skip(f"this processor has no kernels for {networks.precision}")
    loaded = load_artifact(save(tmp_path / "m", plain, networks))
    assert loaded.networks == networks
    scores = loaded.score(rows(90))
    np.testing.assert_array_equal(scores, replace_networks(plain, networks).score(rows(90)))
    np.testing.assert_array_equal(replace_networks(loaded, Networks()).score(rows(90)), plain.score(rows(90)))
    assert np.array_equal(scores, plain.score(rows(90))) == (networks.precision == "fp32")
    np.testing.assert_allclose(scores, plain.score(rows(90)), atol=0.02)


@pytest.mark.parametrize("networks", NETWORKS, ids=lambda networks: networks.precision)
def test_another_device_computes_as_trained(
    plain: Artifact, networks: Networks, caplog: pytest.LogCaptureFixture
) -> None:
    if not can_compute(networks.precision):
        pytest.skip(f"this processor has no kernels for {networks.precision}")
    moved = on_device(replace_networks(plain, networks), "cpu")
    np.testing.assert_allclose(moved.score(rows(90)), plain.score(rows(90)), atol=1e-6)
    told = [record.getMessage() for record in caplog.records]
    if networks.precision == "fp32":
        assert told == []
    else:
        (line,) = told
        assert "on cpu the networks are computed in fp32" in line
        assert f"on the CPU in {networks.precision}" in line


def test_older_artifacts_are_fp32(plain: Artifact, edit_manifest: Edit, artifact: Path) -> None:
    def older(content: dict[str, Any]) -> None:
        content["format_version"] = 2
        del content["networks"]

    edit_manifest(older)
    assert load_artifact(artifact).networks == Networks()
    np.testing.assert_array_equal(load_artifact(artifact).score(rows(9)), plain.score(rows(9)))


FORGED: dict[str, tuple[object, str]] = {
    "precision": ({"precision": "int4"}, "networks.precision: got 'int4', expected fp32 or bf16 or int8"),
    "no object": (7, "networks"),
    "int8 of nothing": ({"precision": "int8"}, "0 inputs of int8 layers, and precision int8"),
    "inputs of bf16": (("bf16", LAYER, 0.1, 0), "1 inputs of int8 layers, and precision bf16"),
    "unknown layer": (
        ("int8", "top.layers.9", 0.1, 0),
        "no layer 'top.layers.9' that can be int8; it",
    ),
    "activation": (("int8", "top.layers.1", 0.1, 0), "no layer 'top.layers.1'"),
    "no scale": ({"precision": "int8", "inputs": {LAYER: {"zero_point": 0}}}, "scale"),
    **{
        f"scale {scale}": (("int8", LAYER, scale, 0), r"top\.layers\.0\.scale: found|scale: got")
        for scale in (0.0, -0.1, 1e-40, 1e300, float("nan"), float("inf"), "0.1", None)
    },
    **{
        f"zero {zero}": (("int8", LAYER, 0.1, zero), r"zero_point: (found|got)")
        for zero in (-1, 256, 2**70, 0.5, "0", None)
    },
}


@pytest.mark.parametrize(("value", "message"), FORGED.values(), ids=FORGED.keys())
def test_forged_networks_are_refused(edit_manifest: Edit, artifact: Path, value: Any, message: str) -> None:
    if isinstance(value, tuple):
        precision, layer, scale, zero_point = value
        value = {
            "precision": precision,
            "inputs": {layer: {"scale": scale, "zero_point": zero_point}},
        }
    edit_manifest(lambda content: content.update(networks=value))
    with pytest.raises(ArtifactError, match=r"model\.json") as caught:
        load_artifact(artifact)
    assert re.search(message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_int8_layers_of_weights_that_are_no_numbers_are_refused(
    plain: Artifact, tmp_path: Path, sealed: Seal
) -> None:
    folder = save(tmp_path / "m", plain, INT8)
    tensors = {name: tensor.clone() for name, tensor in read_tensors(folder / "dense.safetensors").items()}
    tensors[f"{LAYER}.weight"][3, 4] = torch.nan
    (folder / "dense.safetensors").unlink()
    write_tensors(folder / "dense.safetensors", tensors)
    sealed(folder)
    with pytest.raises(ArtifactError, match="int8 networks: a weight is NaN or infinite"):
        load_artifact(folder)


def test_what_the_processor_cannot_compute_is_told(
    plain: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(tmp_path / "m", plain, Networks(precision="bf16"))
    monkeypatch.setattr(convert, "can_compute", lambda precision: precision != "bf16")
    with pytest.raises(BackendUnavailableError, match="networks in bf16: this processor"):
        load_artifact(folder)
