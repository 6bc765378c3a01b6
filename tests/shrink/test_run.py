from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from hotrow.artifact import find_artifact, load_artifact
from hotrow.artifact._checksums import write_checksums
from hotrow.artifact._tensors import read_tensors, write_tensors
from hotrow.data.dataset import Dataset
from hotrow.errors import ArtifactError, ConfigError, DataError, MissingFileError, OutputExistsError
from hotrow.files import tree_bytes
from hotrow.kernels.row_formats import row_bytes
from hotrow.report import write_report
from hotrow.shrink import BITS, ShrinkConfig, shrink_run
from hotrow.shrink import run as run_module
from hotrow.train import RunFolder, evaluate_run

WriteDataset = Callable[..., Path]
ROWS = 40 + 12 + 60 + 5


@pytest.mark.parametrize(("bits", "row_format"), [("8", "int8"), ("4", "int4"), ("2", "int2")])
def test_all_tables_to_one_format(run: Path, tmp_path: Path, bits: Any, row_format: Any) -> None:
    before = tree_bytes(run)
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits=bits, max_auc_loss=0.5))
    assert [table.format for table in report.tables] == [row_format] * 4
    assert (report.table_bytes_before, report.table_bytes_after) == (
        ROWS * 64,
        ROWS * row_bytes(row_format, 16),
    )
    assert (report.bytes_before, report.bytes_after) == (
        tree_bytes(run / "model"),
        tree_bytes(tmp_path / "small" / "model"),
    )
    assert tree_bytes(run) == before
    test, validation = evaluate_run(tmp_path / "small"), evaluate_run(tmp_path / "small", split="valid")
    assert report.validation is not None
    assert (report.test.after, report.validation.after) == (test, validation)
    assert report.test.before == evaluate_run(run)
    assert report.auc_loss == report.auc_before - report.auc_after
    assert report.kept
    assert report.judged == 0


def test_8_bits_change_little(run: Path, tmp_path: Path) -> None:
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8"))
    assert abs(report.auc_loss) < 0.001
    assert report.kept
    assert report.test.after.log_loss == pytest.approx(report.test.before.log_loss, rel=1e-3)


@pytest.mark.parametrize("limit", [0.0, 1e-4, 0.003, 0.05])
def test_auto_keeps_the_promise_on_the_validation_split(run: Path, tmp_path: Path, limit: float) -> None:
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits="auto", max_auc_loss=limit))
    assert report.validation is not None
    assert report.validation.kept
    assert report.validation.auc_loss + 2 * report.validation.auc_loss_error <= limit
    assert report.kept == report.test.kept == (report.auc_loss <= limit)
    assert report.judged >= 1


def test_auto_takes_as_few_bits_as_it_may(run: Path, tmp_path: Path) -> None:
    sizes = [
        shrink_run(
            run, tmp_path / "small", ShrinkConfig(bits="auto", max_auc_loss=limit), overwrite=True
        ).table_bytes_after
        for limit in (0.0, 0.003, 0.5)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == ROWS * 64
    assert sizes[-1] == ROWS * 8


def test_the_estimate_takes_the_first_rows(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "ESTIMATE_ROWS", 300)
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits="auto", max_auc_loss=0.003))
    assert report.validation is not None
    assert report.validation.after.rows == 900
    assert report.validation.auc_loss <= 0.003


def test_a_broken_promise_is_told_not_raised(run: Path, tmp_path: Path) -> None:
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits="2", max_auc_loss=0.0))
    assert report.kept == (report.auc_loss <= 0)
    stored = json.loads((tmp_path / "small" / "shrink.json").read_text())
    assert stored == json.loads(json.dumps(report.to_mapping()))
    assert stored["auc_before"] - stored["auc_after"] == pytest.approx(stored["auc_loss"])


def test_the_result_is_a_run(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    small = tmp_path / "small"
    report = shrink_run(run, small, ShrinkConfig(bits="4"), command=["hotrow", "shrink", str(run)])
    folder = RunFolder(small)
    assert folder.find_dataset() == dataset.path
    assert {table.format for table in folder.read_recipe().model.tables} == {"int4"}
    assert folder.read_report().test == report.test.after
    config = folder.read_config()
    assert config["command"] == ["hotrow", "shrink", str(run)]
    assert config["shrunk_from"] == {
        "run": str(run),
        "command": ["hotrow", "train"],
        "networks": "fp32",
    }
    assert (small / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    assert not list(small.glob("tmp*"))
    write_report(small, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "1.4 KiB" in page  # of the tables: 117 rows of 12 bytes
    assert f"hotrow shrink {run}" in page
    assert "shrunk from" in page


def test_a_model_without_its_run(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    model = Path(shutil.copytree(run / "model", tmp_path / "only"))
    with pytest.raises(MissingFileError, match="give the data set's folder as --dataset"):
        shrink_run(model, tmp_path / "small")
    report = shrink_run(model, tmp_path / "small", dataset=dataset)
    assert {path.name for path in (tmp_path / "small").iterdir()} == {"model", "shrink.json"}
    assert evaluate_run(tmp_path / "small", dataset) == report.test.after


def test_a_data_set_that_was_moved_is_found_again(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    moved = dataset.path.rename(tmp_path / "moved")
    with pytest.raises(MissingFileError, match=r"data: not found.*--dataset"):
        shrink_run(run, tmp_path / "small")
    assert not (tmp_path / "small").exists()
    shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8"), dataset=Dataset.open(moved))
    assert RunFolder(tmp_path / "small").find_dataset() == moved


def test_other_data_does_not_become_the_runs_own(
    run: Path, dataset: Dataset, tmp_path: Path, write_dataset: WriteDataset
) -> None:
    other = Dataset.open(write_dataset(tmp_path / "other", seed=4))
    report = shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8"), dataset=other)
    assert report.rows == 150
    assert RunFolder(tmp_path / "small").find_dataset() == dataset.path


def test_quantised_tables_are_refused(run: Path, tmp_path: Path) -> None:
    shrink_run(run, tmp_path / "small", ShrinkConfig(bits="4"))
    with pytest.raises(ArtifactError, match="table C1 is int4 already, expected fp32, fp16, bf16"):
        shrink_run(tmp_path / "small", tmp_path / "smaller")
    assert not (tmp_path / "smaller").exists()


def test_what_is_there_stays_unless_told_otherwise(run: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    shrink_run(run, small, ShrinkConfig(bits="8"))
    with pytest.raises(OutputExistsError, match="--overwrite"):
        shrink_run(run, small, ShrinkConfig(bits="2"))
    assert load_artifact(small).config.tables[0].format == "int8"
    shrink_run(run, small, ShrinkConfig(bits="2"), overwrite=True)
    assert load_artifact(small).config.tables[0].format == "int2"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    with pytest.raises(OutputExistsError, match="not a run"):
        shrink_run(run, tmp_path / "mine", overwrite=True)


@pytest.mark.parametrize("place", [".", "model", "inner/run", ".."])
def test_a_run_is_not_written_over_what_it_is_made_from(run: Path, place: str) -> None:
    with pytest.raises(ConfigError, match="expected a folder apart from"):
        shrink_run(run, run / place, overwrite=True)
    load_artifact(run)


def test_a_failure_leaves_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module, "save_artifact", full)
    before = set(tmp_path.iterdir())
    with pytest.raises(Exception, match="no space left on the disk"):
        shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8"))
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("split", "bits"), [("test", "8"), ("valid", "auto")])
def test_an_empty_split_is_told(
    run: Path, tmp_path: Path, write_dataset: WriteDataset, split: str, bits: Any
) -> None:
    splits = {"train": (10,), "valid": (150,), "test": (150,)} | {split: ()}
    empty = Dataset.open(write_dataset(tmp_path / "empty", splits=cast(Any, splits)))
    with pytest.raises(DataError, match=f"split {split} has 0 clicks in 0 rows"):
        shrink_run(run, tmp_path / "small", ShrinkConfig(bits=bits), dataset=empty)


def test_fixed_bits_need_no_validation_rows(run: Path, tmp_path: Path, write_dataset: WriteDataset) -> None:
    splits = {"train": (10,), "valid": (), "test": (150,)}
    data = Dataset.open(write_dataset(tmp_path / "few", splits=splits))
    assert shrink_run(run, tmp_path / "small", ShrinkConfig(bits="8"), dataset=data).validation is None


def test_a_row_that_cannot_be_quantised_is_named(run: Path, tmp_path: Path) -> None:
    path = find_artifact(run) / "tables.safetensors"
    tensors = {name: tensor.clone() for name, tensor in read_tensors(path).items()}
    tensors["C3"][59, 3] = torch.inf  # a row that no example of the data set needs to have
    path.unlink()
    write_tensors(path, tensors)
    (run / "model" / "checksums.json").unlink()
    write_checksums(run / "model")
    with pytest.raises(ArtifactError, match=r"model: table C3: row 59 holds NaN or infinity"):
        shrink_run(run, tmp_path / "small", ShrinkConfig(bits="4"))


@pytest.mark.parametrize(
    ("values", "message"),
    [({"bits": "3"}, "8 or 4 or 2 or auto")]
    + [({"max_auc_loss": value}, "a number of at least 0") for value in (-1e-9, float("nan"), float("inf"))],
)
def test_what_cannot_be_asked_for(values: dict[str, Any], message: str) -> None:
    assert BITS == ("8", "4", "2", "auto")
    with pytest.raises(ConfigError, match=message):
        ShrinkConfig(**values)
