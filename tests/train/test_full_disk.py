"""A disk that takes no more bytes, by a limit of the system, while a run goes on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.train.runs import metrics_lines

from hotrow.data.dataset import Dataset
from hotrow.errors import StorageError
from hotrow.train import Listener, Recipe, RunFolder, train_model
from hotrow.train.checkpoint import verify_checkpoint

LIMITS = resource.getrlimit(resource.RLIMIT_FSIZE)


class _FillAt(Listener):
    """Lets files of this process grow no more from a step on."""

    def __init__(self, step: int) -> None:
        self.left = step

    def on_step(self, samples: int) -> None:
        self.left -= 1
        if self.left == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, LIMITS[1]))


@pytest.fixture
def room_again() -> Iterator[None]:
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, LIMITS)


@pytest.mark.usefixtures("room_again")
@pytest.mark.parametrize("step", [3, 10, 13, 26], ids=["before any", "figures", "a checkpoint", "the end"])
def test_the_last_checkpoint_is_kept_and_gone_on_from(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, step: int
) -> None:
    train_model(dataset, recipe, tmp_path / "whole")
    run = tmp_path / "run"
    with pytest.raises(StorageError, match="no space left on the disk; free some space"):
        train_model(dataset, recipe, run, listener=_FillAt(step))
    resource.setrlimit(resource.RLIMIT_FSIZE, LIMITS)
    kept = sorted(RunFolder(run).checkpoints.glob("*"))
    assert [entry.name for entry in kept if entry.name.startswith(".")] == []
    assert max((int(entry.name[5:]) for entry in kept), default=0) == max(
        (due for due in (5, 9, 13, 18, 22, 26) if due < step), default=0
    )
    for entry in kept:
        verify_checkpoint(entry)
    train_model(dataset, recipe, run, resume=True)
    for name in ("tables.safetensors", "dense.safetensors"):
        whole, other = (tmp_path / each / "model" / name for each in ("whole", "run"))
        assert whole.read_bytes() == other.read_bytes()
    assert metrics_lines(run) == metrics_lines(tmp_path / "whole")
