"""From raw rows to the model's own scores, through files."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from tests.conformance.batches import make_batch
from tests.conformance.building import logits_of, networks_in, served
from tests.conformance.cases import Case
from tests.conformance.datasets import SPLITS, raw_block, schema_of, write_dataset, write_vocabularies

from hotrow.artifact import load_artifact, save_artifact
from hotrow.data.dataset import Dataset
from hotrow.layers.inference import Precision, can_compute, sigmoid
from hotrow.models import RankingModel, model_name
from hotrow.train import make_recipe, train_model


@pytest.mark.parametrize("precision", get_args(Precision))
def test_artifact_scores_with_the_models_bits(
    case: Case, fitted: RankingModel, tmp_path: Path, precision: Precision
) -> None:
    if not can_compute(precision):
        pytest.skip(f"this processor has no kernels for {precision}")
    networks = networks_in(precision, case, fitted)
    write_vocabularies(tmp_path / "vocab", case.inputs)
    save_artifact(
        tmp_path / "model",
        model=fitted,
        model_name=model_name(case.preset),
        model_config=case.config,
        schema=schema_of(case.inputs),
        vocab_folder=tmp_path / "vocab",
        metrics={},
        networks=networks,
    )
    artifact = load_artifact(tmp_path / "model")
    batch = make_batch(case.inputs, 37)
    expected = sigmoid(logits_of(served(case, fitted, networks), batch))
    got = torch.from_numpy(artifact.score_tasks(raw_block(batch)))
    assert (artifact.config, artifact.networks) == (case.config, networks)
    assert torch.equal(got, expected.reshape(len(batch), -1))


def test_a_run_ends_with_metrics_and_a_model_that_ranks(case: Case, tmp_path: Path) -> None:
    dataset = Dataset.open(write_dataset(tmp_path / "data", case.inputs))
    settings = {"batch_size": "64", "epochs": "1"}
    recipe = make_recipe(case.preset, dataset.schema.inputs(), settings=settings)
    report = train_model(dataset, recipe, tmp_path / "run")
    assert report.samples == SPLITS["train"]
    assert report.test is not None
    assert report.test.rows == SPLITS["test"]
    artifact = load_artifact(tmp_path / "run")
    assert artifact.config == case.config
    batch = make_batch(case.inputs, SPLITS["test"], seed=2)
    scores = artifact.score_tasks(raw_block(batch))
    assert batch.labels is not None
    positive = torch.from_numpy(scores[:, 0]).clamp(1e-7, 1 - 1e-7)
    labels = batch.labels.reshape(len(batch), -1)[:, 0]
    loss = torch.nn.functional.binary_cross_entropy(positive, labels).item()
    assert report.test.log_loss == pytest.approx(loss, rel=1e-4)
