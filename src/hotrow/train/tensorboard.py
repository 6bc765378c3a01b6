"""TensorBoard scalars, where TensorBoard is installed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotrow.config import to_mapping
from hotrow.metrics import Evaluation
from hotrow.train.events import Listener, Moment, TrainFigures
from hotrow.train.report import TrainReport

logger = logging.getLogger(__name__)


class TensorBoard(Listener):
    """Writes scalars under ``train/``, ``validation/`` and ``test/`` against the step.

    Args:
        folder: where the event files are.
        first_step: events of an earlier process from this step on are void.
    """

    def __init__(self, folder: Path, *, first_step: int) -> None:
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            logger.warning("TensorBoard is not installed: no event files are written; metrics.jsonl has all")
            return
        purge_step = first_step if first_step > 0 else None
        self._writer = SummaryWriter(str(folder), purge_step=purge_step)

    def on_figures(self, moment: Moment, figures: TrainFigures) -> None:
        """Write the training figures."""
        self._write("train", moment.step, to_mapping(figures))

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        """Write the validation metrics."""
        self._write("validation", moment.step, metrics.to_mapping())

    def on_finish(self, moment: Moment, report: TrainReport) -> None:
        """Write the metrics of the exported model on the test split."""
        if report.test is not None:
            self._write("test", report.best_step, report.test.to_mapping())

    def close(self) -> None:
        """Write what is waiting and end the writer's thread."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, group: str, step: int, figures: Mapping[str, Any]) -> None:
        if self._writer is None:
            return
        for name, value in figures.items():
            if isinstance(value, Mapping):
                self._write(f"{group}/{name}", step, value)
            elif isinstance(value, float):
                tag = name.replace("@", "_at_")  # TensorBoard has no @ in names
                self._writer.add_scalar(f"{group}/{tag}", value, step)
