from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hotrow.data.dataset import Dataset
from hotrow.data.schema import CategoricalFeature, DenseFeature, Schema
from hotrow.errors import ArtifactError, ConfigError, DataError, MissingFileError, SchemaMismatchError
from hotrow.train import Recipe, evaluate_run, train_model

WriteDataset = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> Path:
    train_model(dataset, recipe, tmp_path / "run")
    return tmp_path / "run"


def test_it_agrees_with_the_run(run: Path, dataset: Dataset) -> None:
    result = json.loads((run / "result.json").read_text())
    assert evaluate_run(run).to_mapping() == pytest.approx(result["test"], rel=1e-5)
    validation = evaluate_run(run, dataset, split="valid")
    assert validation.auc == pytest.approx(result["validation"]["auc"], rel=1e-5)
    assert evaluate_run(run / "model", dataset, split="train").rows == 800


def test_other_data_of_the_same_schema_is_welcome(
    run: Path, dataset: Dataset, tmp_path: Path, write_dataset: WriteDataset
) -> None:
    other = write_dataset(tmp_path / "other", seed=5)
    metrics = evaluate_run(run, Dataset.open(other))
    assert metrics.rows == 150
    assert metrics != evaluate_run(run, dataset)


def test_a_schema_that_differs_is_refused(run: Path, tmp_path: Path, write_dataset: WriteDataset) -> None:
    schema = Schema(
        format="criteo",
        label="label",
        dense=tuple(DenseFeature(name=f"I{i}") for i in (1, 2, 3)),
        categorical=tuple(
            CategoricalFeature(name=f"C{i + 1}", rows=r) for i, r in enumerate((40, 12, 61, 5))
        ),
    )
    other = Dataset.open(write_dataset(tmp_path / "other", schema=schema))
    with pytest.raises(SchemaMismatchError, match=r"categorical\.C3\.rows: 60 against 61"):
        evaluate_run(run, other)


def test_what_is_missing_is_asked_for(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="hotrow train"):
        evaluate_run(tmp_path / "none", dataset)
    with pytest.raises(ConfigError, match="train or valid or test"):
        evaluate_run(run, dataset, split="dev")
    shutil.rmtree(dataset.path)
    with pytest.raises(MissingFileError, match="DATASET"):
        evaluate_run(run)
    with pytest.raises(MissingFileError, match="DATASET"):
        evaluate_run(run / "model")


def test_an_altered_model_is_refused(run: Path) -> None:
    path = run / "model" / "tables.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"tables\.safetensors"):
        evaluate_run(run)


def test_an_empty_split_has_no_metrics(run: Path, tmp_path: Path, write_dataset: WriteDataset) -> None:
    empty = write_dataset(tmp_path / "empty", splits={"train": (10,), "valid": (), "test": ()})
    with pytest.raises(DataError, match="split test has no rows"):
        evaluate_run(run, Dataset.open(empty))
