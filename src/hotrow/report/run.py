"""What a report tells of a run, read from its folder."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from hotrow.data.dataset import SPLITS, Dataset
from hotrow.errors import DataError, UserError
from hotrow.files import tree_bytes
from hotrow.train.report import TrainReport
from hotrow.train.run_folder import RunFolder

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """A run as a report shows it.

    Attributes:
        path: its folder.
        config: ``config.json``.
        report: the result; None while the run is not finished.
        lines: ``metrics.jsonl``.
        split_rows: rows of each split of the data set; empty when the data set is no longer there.
        artifact_bytes: size of ``model/``; None when there is none yet.
    """

    path: Path
    config: Mapping[str, Any]
    report: TrainReport | None
    lines: tuple[Mapping[str, Any], ...]
    split_rows: Mapping[str, int]
    artifact_bytes: int | None

    def curve(self, kind: str, *fields: str) -> Points:
        """Return (samples, value) of each line of one kind that has a number at ``fields``."""
        points = []
        for line in self.lines:
            value: Any = line if line.get("kind") == kind else None
            for field in fields:
                value = value.get(field) if isinstance(value, Mapping) else None
            samples = line.get("samples")
            if _is_number(value) and _is_number(samples):
                points.append((float(samples), float(value)))
        return tuple(sorted(points))

    def command(self) -> str:
        """Return the command that trains this run again."""
        words = [str(word) for word in self.config.get("command") or []]
        return shlex.join(["hotrow", *words[1:]]) if words else ""

    def exported_at(self) -> float | None:
        """Return after how many samples the exported weights were reached, if known."""
        if self.report is None or not self.report.steps:
            return None
        return self.report.samples * self.report.best_step / self.report.steps


def read_run(path: Path) -> RunFacts:
    """Read a run, finished or not.

    Raises:
        MissingFileError: there is no run.
        UserError: one of its files cannot be used.
    """
    folder = RunFolder(path)
    config = folder.read_config()
    return RunFacts(
        path=path,
        config=config,
        report=folder.read_report() if folder.is_finished else None,
        lines=tuple(_read_lines(folder.metrics)),
        split_rows=_split_rows(config),
        artifact_bytes=tree_bytes(folder.model) if folder.model.is_dir() else None,
    )


def _read_lines(path: Path) -> Sequence[Mapping[str, Any]]:
    """Read ``metrics.jsonl``; a last line without its newline is still being written, and left out."""
    if not path.is_file():
        return []
    lines = []
    for number, text in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(path, f"not JSON ({error}), expected one object a line", line=number) from error
        if not isinstance(line, dict):
            raise DataError(path, f"found {type(line).__name__}, expected one object a line", line=number)
        lines.append(line)
    return lines


def _split_rows(config: Mapping[str, Any]) -> dict[str, int]:
    """Return the rows of the data set's splits; a report does not need the data set to be there still."""
    stored = config.get("dataset")
    path = stored.get("path") if isinstance(stored, Mapping) else None
    if not path:
        return {}
    try:
        dataset = Dataset.open(path)
    except UserError:
        return {}
    return {split: dataset.rows(split) for split in SPLITS}


def without_short_end(points: Points) -> Points:
    """Leave out a last point that covers less than half of what the one before it does.

    Training figures are means over the rows since the last ones; of a few rows at a run's end they
    are mostly noise.
    """
    if len(points) < 3:
        return points
    before, last = points[-2][0] - points[-3][0], points[-1][0] - points[-2][0]
    return points[:-1] if last < before / 2 else points


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
