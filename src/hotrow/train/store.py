"""The checkpoints of a run: which there are, which to go on from, which to keep."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotrow.errors import CheckpointError
from hotrow.train.checkpoint import verify_checkpoint, write_checkpoint
from hotrow.train.config import CheckpointConfig
from hotrow.train.loop import Learner

logger = logging.getLogger(__name__)

_NAME = re.compile(r"step-(\d{9,})")


class CheckpointStore:
    """Folder ``checkpoints/`` of a run.

    Args:
        folder: it need not exist yet.
        config: what is kept.
    """

    def __init__(self, folder: Path, config: CheckpointConfig) -> None:
        self.folder = folder
        self._config = config

    def path(self, step: int) -> Path:
        """Return the folder of the checkpoint after ``step`` steps."""
        return self.folder / f"step-{step:09d}"

    def steps(self) -> list[int]:
        """Return the steps at which there are checkpoints, intact or not, ascending."""
        if not self.folder.is_dir():
            return []
        matches = (_NAME.fullmatch(entry.name) for entry in self.folder.iterdir() if entry.is_dir())
        return sorted(int(match[1]) for match in matches if match)

    def save(self, learner: Learner, notes: Mapping[str, Any]) -> None:
        """Write a checkpoint, then remove those that need not be kept.

        Raises:
            StorageError: the disk is full; the checkpoints that were there are still there.
        """
        write_checkpoint(self.path(learner.progress.step), learner, notes)
        self._prune(best_step=learner.progress.best_step if self._config.keep_best else -1)

    def newest_intact(self) -> Path | None:
        """Return the newest checkpoint that is whole and unaltered; None when there is none at all.

        A broken one that is skipped is named in a warning.

        Raises:
            CheckpointError: there are checkpoints, and all are broken.
        """
        self._put_back()
        steps = self.steps()
        first_error: CheckpointError | None = None
        for step in reversed(steps):
            try:
                verify_checkpoint(self.path(step))
            except CheckpointError as error:
                logger.warning("skipped a broken checkpoint: %s", error)
                first_error = first_error or error
            else:
                return self.path(step)
        if first_error is not None:
            raise CheckpointError(
                f"{first_error}; no other checkpoint is intact, start again with --overwrite"
            )
        return None

    def go_back_to(self, step: int) -> None:
        """Remove broken checkpoints newer than ``step`` and what a killed writer left half-written.

        Call it only as the run's one writer.
        """
        if self.folder.is_dir():
            newer = [self.path(other) for other in self.steps() if other > step]
            for entry in [*newer, *self.folder.glob(".step-*")]:
                shutil.rmtree(entry, ignore_errors=True)

    def _put_back(self) -> None:
        """Undo a replacement that a kill cut in two: the old one moved aside, the new not yet there."""
        for entry in self.folder.glob(".step-*.old-*"):
            target = self.folder / entry.name[1:].partition(".old-")[0]
            if not target.exists():
                entry.rename(target)

    def _prune(self, *, best_step: int) -> None:
        steps = self.steps()
        for step in set(steps[: -self._config.keep_last]) - {best_step}:
            shutil.rmtree(self.path(step), ignore_errors=True)
