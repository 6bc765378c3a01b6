"""Networks in fewer bits: what is chosen, and that a run with them is a run like any other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hotrow.artifact import load_artifact
from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import ConfigError, DataError
from hotrow.layers.inference import Quantization, can_compute
from hotrow.shrink import NETWORKS, ShrinkConfig, shrink_run
from hotrow.shrink import networks as networks_module
from hotrow.train import evaluate_run, make_recipe, train_model

WriteDataset = Callable[..., Path]
LAYERS = ("bottom.layers.2", "top.layers.0", "top.layers.2")  # of 1024 weights or more


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_every_precision(run: Path, tmp_path: Path, precision: Any) -> None:
    if not can_compute(precision):
        pytest.skip(f"this processor has no kernels for {precision}")
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8", networks=precision))
    assert (report.networks_before, report.networks) == ("fp32", precision)
    assert report.int8_layers == (LAYERS if precision == "int8" else ())
    assert (report.calibration is None) == (precision != "int8")
    assert report.test.after == evaluate_run(tmp_path / "small")
    assert report.test.before == evaluate_run(run)
    assert abs(report.auc_loss) < 0.003
    stored = json.loads((tmp_path / "small" / "shrink.json").read_text())
    assert stored == json.loads(json.dumps(report.to_mapping()))
    assert load_artifact(tmp_path / "small").networks.precision == precision


def test_rank_and_evaluate_have_the_same_bits(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    shrink_run(run, tmp_path / "small", ShrinkConfig(bits="4", networks="int8"))
    artifact = load_artifact(tmp_path / "small")
    sizes = (1100, 97, 1)
    with torch.inference_mode():
        found = []
        for size in sizes:
            with Loader(dataset, "test", LoaderConfig(batch_size=size)).epoch() as batches:
                found.append(torch.cat([artifact.model(batch) for batch in batches]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_the_calibration_with_the_least_log_loss_is_taken(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poor(_: object, calibration: str) -> Any:
        scale = {"largest": 3.0, "least-error": 0.03, "percentile": 1e-5}[calibration]
        return Quantization(scale=scale, zero_point=128)

    monkeypatch.setattr(networks_module, "quantization", poor)
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8", networks="int8", max_auc_loss=0.5))
    assert report.calibration == "least-error"
    assert report.judged == 3


@pytest.mark.parametrize(("limit", "precision"), [(0.2, "int8"), (0.0, "fp32")])
def test_auto_takes_the_fewest_bits_that_keep_half_the_promise(
    run: Path, tmp_path: Path, limit: float, precision: str
) -> None:
    config = ShrinkConfig(bits="auto", networks="auto", max_auc_loss=limit)
    report = shrink_run(run, tmp_path / "small", config)
    assert report.networks == precision
    verdict = "within 0.1" if precision == "int8" else "more than 0; bf16 "
    assert re.match(
        rf"int8 alone may lose -?\d.\d{{5}} of the AUC, {re.escape(verdict)}", report.networks_reason
    )
    assert report.validation is not None
    assert report.validation.auc_loss + 2 * report.validation.auc_loss_error <= limit


def test_auto_leaves_out_what_the_processor_cannot_compute(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(networks_module, "can_compute", lambda _: False)
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8", networks="auto", max_auc_loss=0.5))
    assert report.networks == "fp32"
    assert "networks in bf16 were not tried: this processor" in caplog.text


def test_a_model_of_small_layers_has_none_for_int8(tmp_path: Path, dataset: Dataset) -> None:
    settings = {"model.bottom": "8,16", "model.top": "1", "batch_size": "256", "epochs": "1"}
    recipe = make_recipe("dlrm-small", dataset.schema.inputs(), settings=settings)
    train_model(dataset, recipe, tmp_path / "run")
    with pytest.raises(ConfigError, match="layers of at least 1024 weights"):
        shrink_run(tmp_path / "run", tmp_path / "small", ShrinkConfig(bits="8", networks="int8"))
    config = ShrinkConfig(bits="8", networks="auto", max_auc_loss=0.5)
    assert shrink_run(tmp_path / "run", tmp_path / "small", config).networks != "int8"


def test_int8_needs_validation_rows(run: Path, tmp_path: Path, write_dataset: WriteDataset) -> None:
    splits = {"train": (10,), "valid": (), "test": (150,)}
    data = Dataset.open(write_dataset(tmp_path / "few", splits=splits))
    with pytest.raises(DataError, match="split valid has no rows"):
        shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8", networks="int8"), dataset=data)


def test_what_cannot_be_asked_for() -> None:
    assert NETWORKS == ("fp32", "bf16", "int8", "auto")
    with pytest.raises(ConfigError, match="networks: got 'int4', expected fp32 or bf16 or int8 or auto"):
        ShrinkConfig(networks="int4")  # type: ignore[arg-type]
