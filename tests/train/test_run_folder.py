from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import small_schema

from hotrow.data.dataset import Dataset
from hotrow.errors import (
    ConfigError,
    DataError,
    MissingFileError,
    OutputExistsError,
    SchemaMismatchError,
    UserError,
)
from hotrow.train import Recipe, RunFolder, change

WriteDataset = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.start(recipe, dataset, command=["hotrow", "train"], overwrite=False)
    return folder


def test_config_has_what_it_takes_to_repeat_the_run(
    folder: RunFolder, dataset: Dataset, recipe: Recipe
) -> None:
    content = json.loads(folder.config.read_text())
    assert folder.read_recipe() == recipe
    assert content["dataset"] == {
        "path": str(dataset.path),
        "fingerprint": dataset.fingerprint(),
        "schema_fingerprint": dataset.schema.fingerprint(),
        "schema": json.loads(json.dumps(dataset.schema.to_mapping())),
        "rows": {"train": 800, "valid": 150, "test": 150},
    }
    assert content["command"] == ["hotrow", "train"]
    assert {"hotrow", "torch", "numpy", "python", "threads"} <= content["environment"].keys()
    assert folder.environment_changes() == []
    assert folder.find_dataset() == dataset.path


def test_a_change_of_environment_is_told(folder: RunFolder) -> None:
    content = json.loads(folder.config.read_text())
    content["environment"]["threads"] = 64
    folder.config.write_text(json.dumps(content))
    assert folder.environment_changes() == ["threads 64 -> 1"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": "32"}, r"train\.batch_size: got 32, expected 64, with which .* was started"),
        ({"dense.kind": "sgd"}, r"train\.dense\.kind: got 'sgd', expected 'adam'"),
        ({"model.top": "16,1"}, r"model\.config\.top"),
    ],
)
def test_a_difference_is_named(
    folder: RunFolder, dataset: Dataset, recipe: Recipe, settings: dict[str, str], message: str
) -> None:
    folder.require_same(recipe, dataset)
    with pytest.raises(ConfigError, match=message):
        folder.require_same(change(recipe, settings), dataset)


def test_other_data_is_named(folder: RunFolder, dataset: Dataset, recipe: Recipe) -> None:
    path = dataset.path / "schema.json"
    content = json.loads(path.read_text())
    content["splits"]["train"]["shards"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"dataset\.fingerprint"):
        folder.require_same(recipe, Dataset.open(dataset.path))


def test_other_features_and_other_rows_are_named(
    folder: RunFolder, recipe: Recipe, tmp_path: Path, write_dataset: WriteDataset
) -> None:
    grown = write_dataset(tmp_path / "grown", schema=small_schema(rows=(40, 13, 60, 5)))
    with pytest.raises(
        SchemaMismatchError, match=r"config\.json and .*grown.* in categorical\.C2\.rows: 12 ag"
    ):
        folder.require_same(recipe, Dataset.open(grown))
    longer = write_dataset(tmp_path / "longer", splits={"train": (500, 301), "valid": (150,), "test": (150,)})
    with pytest.raises(
        ConfigError, match=r"dataset\.rows\.train: got 801, expected 800, with which .* started"
    ):
        folder.require_same(recipe, Dataset.open(longer))


def test_runs_of_before_are_compared_by_what_they_have(
    folder: RunFolder, dataset: Dataset, recipe: Recipe, tmp_path: Path, write_dataset: WriteDataset
) -> None:
    """Their data sets had a fingerprint alone, and settings that came later had their defaults."""
    content = json.loads(folder.config.read_text())
    for name in ("schema", "rows"):
        del content["dataset"][name]
    del content["train"]["accumulate"]
    folder.config.write_text(json.dumps(content))
    folder.require_same(recipe, dataset)
    with pytest.raises(ConfigError, match=r"train\.accumulate: got 2, expected 1"):
        folder.require_same(change(recipe, {"accumulate": "2"}), dataset)
    other = Dataset.open(write_dataset(tmp_path / "other", seed=1))
    content["dataset"]["fingerprint"] = "0" * 16
    folder.config.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"dataset\.fingerprint"):
        folder.require_same(recipe, other)


def test_a_run_is_kept_unless_overwritten(folder: RunFolder, dataset: Dataset, recipe: Recipe) -> None:
    (folder.checkpoints / "old").mkdir(parents=True)
    folder.metrics.write_text("old")
    with pytest.raises(OutputExistsError, match="--resume"):
        folder.start(recipe, dataset, command=[], overwrite=False)
    assert folder.metrics.exists()
    other = change(recipe, {"seed": "5"})
    folder.start(other, dataset, command=[], overwrite=True)
    assert folder.read_recipe() == other
    assert [entry.name for entry in folder.path.iterdir()] == ["config.json"]


def test_what_is_no_run_is_never_overwritten(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("home", "file"):
        with pytest.raises(OutputExistsError, match="not a run"):
            RunFolder(tmp_path / name).start(recipe, dataset, command=[], overwrite=True)
    assert (tmp_path / "home" / "thesis.tex").exists()


def test_an_empty_folder_is_taken(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.json.partial-1").touch()  # of a process that was killed at once
    RunFolder(tmp_path / "run").start(recipe, dataset, command=[], overwrite=False)
    assert RunFolder(tmp_path / "run").is_run


def test_two_writers_are_one_too_many(folder: RunFolder) -> None:
    with (
        folder.sole_writer(),
        pytest.raises(UserError, match="another process is training"),
        RunFolder(folder.path).sole_writer(),
    ):
        pass
    with folder.sole_writer():
        pass


def test_what_cannot_be_read_is_said(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="hotrow train"):
        RunFolder(tmp_path / "none").read_config()
    for text in ("{", "[]", '{"format_version": 99}'):
        folder.config.write_text(text)
        with pytest.raises(DataError, match=r"config\.json"):
            folder.read_config()
    with pytest.raises(MissingFileError, match="finished run"):
        folder.read_report()
    folder.result.write_text("{")
    with pytest.raises(DataError, match=r"result\.json"):
        folder.read_report()


def test_a_data_set_that_moved_is_asked_for(folder: RunFolder) -> None:
    content = json.loads(folder.config.read_text())
    content["dataset"]["path"] = "/nowhere"
    folder.config.write_text(json.dumps(content))
    with pytest.raises(MissingFileError, match="give the data set's folder as DATASET"):
        folder.find_dataset()
