from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.train.runs import StopAt, metrics_lines

from hotrow.artifact import load_artifact
from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import (
    CheckpointError,
    DataError,
    DivergedError,
    MissingFileError,
    OutputExistsError,
    StorageError,
)
from hotrow.train import Recipe, RunFolder, TrainReport, _tensors, change, evaluate, train_model
from hotrow.train import checkpoint as checkpoint_module

WriteDataset = Callable[..., Path]


def _model(run: Path) -> dict[str, bytes]:
    """Return the exported files, byte by byte."""
    return {
        str(path.relative_to(run)): path.read_bytes() for path in (run / "model").rglob("*") if path.is_file()
    }


def test_a_run_leaves_what_is_documented(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    report = train_model(dataset, recipe, tmp_path / "run", command=["x"])
    run = tmp_path / "run"
    names = {entry.name.split(".")[0] for entry in run.iterdir() if not entry.name.startswith(".")}
    assert names == {"config", "metrics", "events", "checkpoints", "model", "result"}
    assert (report.samples, report.steps, report.epochs) == (1600, 26, 2.0)
    assert report.validation is not None
    assert report.test is not None
    assert (report.validation.rows, report.test.rows) == (150, 150)
    assert report.samples_per_second == pytest.approx(1600 / report.seconds)
    assert not report.stopped_early
    lines = metrics_lines(run)
    assert [line["kind"] for line in lines].count("train") == 7
    assert lines[-1]["kind"] == "final"
    assert lines[-1]["test"] == report.test.to_mapping()
    assert json.loads((run / "result.json").read_text()) == report.to_mapping()


def test_the_best_weights_are_exported(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    # Rates this high make later steps worse, so that the best is not the last.
    wild = change(
        recipe, {"dense.lr": "0.05", "tables.lr": "0.5", "epochs": "4", "schedule.decay": "constant"}
    )
    report = train_model(dataset, wild, tmp_path / "run")
    lines = [line for line in metrics_lines(tmp_path / "run") if line["kind"] == "validation"]
    best = min(lines, key=lambda line: float(line["validation"]["log_loss"]))
    assert report.best_step == best["step"] < report.steps
    assert report.validation is not None
    assert report.validation.to_mapping() == best["validation"]
    artifact = load_artifact(tmp_path / "run")
    again = evaluate(artifact.model, Loader(dataset, "valid", LoaderConfig(batch_size=8192)))
    assert again.log_loss == pytest.approx(report.validation.log_loss, rel=1e-6)
    assert artifact.metrics["validation"] == report.validation.to_mapping()
    last = train_model(dataset, change(wild, {"checkpoints.keep_best": "false"}), tmp_path / "last")
    assert last.best_step == last.steps
    assert _model(tmp_path / "last") != _model(tmp_path / "run")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["sgd", "rowwise_adagrad"])
def test_the_same_seed_gives_the_same_bits(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, threads: int, kind: str
) -> None:
    torch.set_num_threads(threads)
    recipe = change(recipe, {"tables.kind": kind, "batch_size": "256"})
    for name in "ab":
        train_model(dataset, recipe, tmp_path / name)
        torch.rand(3), random.random()  # what else a process draws has no influence
    assert _model(tmp_path / "a") == _model(tmp_path / "b")
    assert metrics_lines(tmp_path / "a") == metrics_lines(tmp_path / "b")
    train_model(dataset, change(recipe, {"seed": "1"}), tmp_path / "c")
    assert _model(tmp_path / "a") != _model(tmp_path / "c")


@pytest.mark.parametrize("steps", [1, 5, 6, 14, 26])
def test_a_stopped_run_resumes_to_the_same_bits(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, steps: int
) -> None:
    train_model(dataset, recipe, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="stop"):
        train_model(dataset, recipe, tmp_path / "run", listener=StopAt(steps, RuntimeError("stop")))
    train_model(dataset, recipe, tmp_path / "run", resume=True)
    assert _model(tmp_path / "run") == _model(tmp_path / "whole")
    assert metrics_lines(tmp_path / "run") == metrics_lines(tmp_path / "whole")


@pytest.mark.parametrize(
    ("tables", "dense"), [("adagrad", "adagrad"), ("adam", "adamw"), ("momentum", "sgd"), ("lamb", "adam")]
)
def test_every_optimizer_goes_on_where_it_was(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, tables: str, dense: str
) -> None:
    settings = {"tables.kind": tables, "dense.kind": dense, "tables.lr": "0.05", "schedule.decay": "cosine"}
    settings |= {"tables.weight_decay": "0.001", "dense.weight_decay": "0.001"}
    recipe = change(recipe, settings)
    train_model(dataset, recipe, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="stop"):
        train_model(dataset, recipe, tmp_path / "run", listener=StopAt(14, RuntimeError("stop")))
    train_model(dataset, recipe, tmp_path / "run", resume=True)
    assert _model(tmp_path / "run") == _model(tmp_path / "whole")


def test_a_resume_that_skips_a_broken_checkpoint_is_exact_too(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, caplog: pytest.LogCaptureFixture
) -> None:
    train_model(dataset, recipe, tmp_path / "whole")
    run = tmp_path / "run"
    with pytest.raises(RuntimeError):
        train_model(dataset, recipe, run, listener=StopAt(20, RuntimeError("stop")))
    newest = max((run / "checkpoints").iterdir())
    (newest / "tables.safetensors").write_bytes(b"cut")
    train_model(dataset, recipe, run, resume=True)
    assert "skipped a broken checkpoint" in caplog.text
    assert newest.name in caplog.text
    assert _model(run) == _model(tmp_path / "whole")
    assert metrics_lines(run) == metrics_lines(tmp_path / "whole")


def test_resuming_only_broken_checkpoints_is_refused(
    tmp_path: Path, dataset: Dataset, recipe: Recipe
) -> None:
    with pytest.raises(RuntimeError):
        train_model(dataset, recipe, tmp_path / "run", listener=StopAt(14, RuntimeError("stop")))
    for checkpoint in (tmp_path / "run" / "checkpoints").iterdir():
        (checkpoint / "state.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"state\.json"):
        train_model(dataset, recipe, tmp_path / "run", resume=True)


def test_a_finished_run_is_left_alone(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    report = train_model(dataset, recipe, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert train_model(dataset, recipe, tmp_path / "run", resume=True) == report
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def test_a_run_is_started_resumed_or_replaced_only_as_asked(
    tmp_path: Path, dataset: Dataset, recipe: Recipe
) -> None:
    with pytest.raises(MissingFileError, match="hotrow train"):
        train_model(dataset, recipe, tmp_path / "run", resume=True)
    train_model(dataset, recipe, tmp_path / "run")
    with pytest.raises(OutputExistsError):
        train_model(dataset, recipe, tmp_path / "run")
    other = change(recipe, {"seed": "3"})
    train_model(dataset, other, tmp_path / "run", overwrite=True)
    assert RunFolder(tmp_path / "run").read_recipe() == other
    assert len([line for line in metrics_lines(tmp_path / "run") if line["kind"] == "final"]) == 1


def test_a_diverged_run_keeps_its_last_checkpoint(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    wild = change(recipe, {"dense.kind": "sgd", "dense.lr": "1000", "schedule.warmup": "0.99"})
    with pytest.raises(DivergedError, match=r"step \d+: "):
        train_model(dataset, change(wild, {"checkpoints.per_epoch": "13"}), tmp_path / "run")
    run = tmp_path / "run"
    assert not (run / "model").exists()
    for checkpoint in (run / "checkpoints").iterdir():
        assert torch.isfinite(
            load_file(checkpoint / "tables.safetensors")["embeddings.tables.C1.weight"]
        ).all()
    assert len(list((run / "checkpoints").iterdir())) == 2


def test_a_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_model(dataset, recipe, tmp_path / "whole")
    run, write = tmp_path / "run", _tensors.write_tensors
    written = []

    def fill_up(path: Path, tensors: dict[str, torch.Tensor]) -> None:
        written.append(path)
        if len(written) > 12:  # in the third checkpoint
            raise OSError(28, "No space left on device", str(path))
        write(path, tensors)

    monkeypatch.setattr(checkpoint_module, "write_tensors", fill_up)
    with pytest.raises(StorageError, match=r"step-000000013: no space left"):
        train_model(dataset, recipe, run)
    assert sorted(entry.name for entry in (run / "checkpoints").iterdir()) == [
        "step-000000005",
        "step-000000009",
    ]
    monkeypatch.undo()
    train_model(dataset, recipe, run, resume=True)
    assert _model(run) == _model(tmp_path / "whole")


def test_without_validation_rows_the_last_weights_are_exported(
    tmp_path: Path, write_dataset: WriteDataset, recipe: Recipe
) -> None:
    path = write_dataset(tmp_path / "d2", splits={"train": (100,), "valid": (), "test": ()})
    report = train_model(Dataset.open(path), recipe, tmp_path / "run")
    assert (report.validation, report.test) == (None, None)
    assert report.best_step == report.steps == 4
    assert load_artifact(tmp_path / "run").metrics["test"] is None


def test_no_rows_to_train_on(tmp_path: Path, write_dataset: WriteDataset, recipe: Recipe) -> None:
    path = write_dataset(tmp_path / "d2", splits={"train": (), "valid": (5,), "test": ()})
    with pytest.raises(DataError, match=r"schema\.json: split train has no rows"):
        train_model(Dataset.open(path), recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_early_stopping_is_reported(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    patient = change(recipe, {"validation.patience": "1", "validation.min_delta": "100"})
    report = train_model(dataset, patient, tmp_path / "run")
    assert report.stopped_early
    assert report.steps == 9
    assert report.epochs == pytest.approx(9 / 13)
    assert isinstance(RunFolder(tmp_path / "run").read_report(), TrainReport)
