from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import CheckpointError, StorageError
from hotrow.interrupt import Interrupt
from hotrow.train import Listener, Recipe, change
from hotrow.train import checkpoint as checkpoint_module
from hotrow.train.checkpoint import (
    load_weights,
    read_checkpoint,
    read_notes,
    verify_checkpoint,
    write_checkpoint,
)
from hotrow.train.loop import Learner, Trainer
from hotrow.train.run import build_learner


@pytest.fixture
def learner(dataset: Dataset, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> Learner:
    """A learner some steps on, with a filled window."""
    learner = build_learner(recipe)
    config = change(recipe, {"epochs": "1", "log_every": "1000"}).train
    loader = Loader(dataset, "train", LoaderConfig(batch_size=64, drop_last=True))
    trainer = Trainer(
        learner, config, training=loader, validation=None, save=lambda: None, listener=Listener()
    )
    monkeypatch.setattr(trainer, "_tell_figures", lambda: None)  # so that the window stays filled
    trainer.run(Interrupt())
    return learner


def _assert_same(mine: Learner, other: Learner) -> None:
    theirs = other.model.state_dict()
    for name, tensor in mine.model.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name
    assert mine.progress == other.progress
    assert mine.window.drain() == other.window.drain()


def test_everything_comes_back(tmp_path: Path, learner: Learner, recipe: Recipe) -> None:
    write_checkpoint(tmp_path / "c", learner, {"metrics_bytes": 7})
    verify_checkpoint(tmp_path / "c")
    other = build_learner(change(recipe, {"seed": "9"}))
    read_checkpoint(tmp_path / "c", other)
    _assert_same(learner, other)
    assert read_notes(tmp_path / "c") == {"metrics_bytes": 7}
    state, theirs = (each.optimizer.state_dict()["state"] for each in (learner, other))
    assert state.keys() == theirs.keys()
    assert state
    for key, entry in state.items():
        for name, tensor in entry.items():
            assert torch.equal(tensor, theirs[key][name])


def test_tables_go_by_name_and_keep_their_optimizer_state(tmp_path: Path, learner: Learner) -> None:
    from safetensors.torch import load_file

    write_checkpoint(tmp_path / "c", learner, {})
    tables = load_file(tmp_path / "c" / "tables.safetensors")
    assert {"embeddings.tables.C1.weight", "embeddings.tables.C1.accumulator"} <= tables.keys()


def test_random_states_come_back(tmp_path: Path, learner: Learner, recipe: Recipe) -> None:
    def draw() -> tuple[object, ...]:
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random(), random.gauss(0, 1)

    np.random.randn(), random.gauss(0, 1)  # both generators now keep a second number back
    write_checkpoint(tmp_path / "c", learner, {})
    drawn = (*draw(), np.random.randn())
    read_checkpoint(tmp_path / "c", build_learner(recipe))
    assert (*draw(), np.random.randn()) == drawn


def _files(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "checksums.json",
        "dense.safetensors",
        "optimizer.safetensors",
        "random.safetensors",
        "state.json",
        "tables.safetensors",
        "window.safetensors",
    ],
)
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_damage_is_named(tmp_path: Path, learner: Learner, name: str, damage: str) -> None:
    folder = tmp_path / "c"
    write_checkpoint(folder, learner, {})
    assert name in _files(folder)
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 0x20
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(CheckpointError, match="altered") as caught:
        verify_checkpoint(folder)
    assert str(folder) in str(caught.value)
    if name != "checksums.json":
        assert name in str(caught.value)


def test_another_model_is_refused(tmp_path: Path, learner: Learner, recipe: Recipe) -> None:
    write_checkpoint(tmp_path / "c", learner, {})
    wider = build_learner(change(recipe, {"model.width": "8"}))
    with pytest.raises(CheckpointError, match=r"tables\.safetensors: does not fit this model"):
        read_checkpoint(tmp_path / "c", wider)
    plain = build_learner(change(recipe, {"tables.kind": "sgd"}))
    with pytest.raises(CheckpointError, match=r"accumulator is not of this model"):
        load_weights(tmp_path / "c", plain.model)


def test_another_format_is_refused(tmp_path: Path, learner: Learner) -> None:
    write_checkpoint(tmp_path / "c", learner, {})
    path = tmp_path / "c" / "state.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps(state | {"format_version": 99}))
    with pytest.raises(CheckpointError, match="format_version 99"):
        read_checkpoint(tmp_path / "c", learner)
    path.write_text(json.dumps(state | {"progress": {"stage": 1}}))
    with pytest.raises(CheckpointError, match=r"state\.json: progress"):
        read_checkpoint(tmp_path / "c", learner)


def test_a_full_disk_leaves_the_old_one(
    tmp_path: Path, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "c"
    write_checkpoint(folder, learner, {"first": True})

    def refuse(path: Path, tensors: object) -> None:
        raise OSError(28, os.strerror(28), str(path))

    monkeypatch.setattr(checkpoint_module, "write_tensors", refuse)
    with pytest.raises(StorageError, match="no space left"):
        write_checkpoint(folder, learner, {})
    verify_checkpoint(folder)
    assert read_notes(folder) == {"first": True}
    assert _files(tmp_path) == ["c", "data"]
