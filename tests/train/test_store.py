from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hotrow.errors import CheckpointError
from hotrow.train import Recipe
from hotrow.train.config import CheckpointConfig
from hotrow.train.loop import Learner
from hotrow.train.run import build_learner
from hotrow.train.store import CheckpointStore


@pytest.fixture
def learner(recipe: Recipe) -> Learner:
    return build_learner(recipe)


def _save(store: CheckpointStore, learner: Learner, *steps: int, best: int = -1) -> None:
    for step in steps:
        learner.progress.step = step
        learner.progress.best_step = best
        store.save(learner, {})


def test_the_newest_and_the_best_are_kept(tmp_path: Path, learner: Learner) -> None:
    store = CheckpointStore(tmp_path / "c", CheckpointConfig(keep_last=2))
    assert store.steps() == []
    _save(store, learner, 10, 20, 30, 40, best=10)
    assert store.steps() == [10, 30, 40]
    _save(store, learner, 50, best=50)
    assert store.steps() == [40, 50]
    assert store.newest_intact() == tmp_path / "c" / "step-000000050"


def test_without_keep_best_only_the_newest_are_kept(tmp_path: Path, learner: Learner) -> None:
    store = CheckpointStore(tmp_path / "c", CheckpointConfig(keep_last=1, keep_best=False))
    _save(store, learner, 10, 20, 30, best=10)
    assert store.steps() == [30]


def test_none_at_all_is_no_error(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path / "c", CheckpointConfig()).newest_intact() is None


def test_a_broken_one_is_skipped_and_said(
    tmp_path: Path, learner: Learner, caplog: pytest.LogCaptureFixture
) -> None:
    store = CheckpointStore(tmp_path / "c", CheckpointConfig())
    _save(store, learner, 10, 20)
    (store.path(20) / "dense.safetensors").write_bytes(b"cut")
    with caplog.at_level(logging.WARNING):
        assert store.newest_intact() == store.path(10)
    assert "skipped a broken checkpoint" in caplog.text
    assert "step-000000020/dense.safetensors" in caplog.text


def test_all_broken_is_an_error_that_names_the_newest(tmp_path: Path, learner: Learner) -> None:
    store = CheckpointStore(tmp_path / "c", CheckpointConfig())
    _save(store, learner, 10, 20)
    for step in (10, 20):
        (store.path(step) / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"step-000000020/state\.json: missing"):
        store.newest_intact()


def test_going_back_removes_what_is_newer_or_half_written(tmp_path: Path, learner: Learner) -> None:
    store = CheckpointStore(tmp_path / "c", CheckpointConfig(keep_last=3))
    _save(store, learner, 10, 20, 30)
    (tmp_path / "c" / ".step-000000040.partial-1").mkdir()
    (tmp_path / "c" / "notes.txt").write_text("mine")
    store.go_back_to(20)
    assert sorted(entry.name for entry in (tmp_path / "c").iterdir()) == [
        "notes.txt",
        "step-000000010",
        "step-000000020",
    ]
