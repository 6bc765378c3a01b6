"""The progress of training on standard error."""

from __future__ import annotations

import time

from hotrow.metrics import Evaluation
from hotrow.progress import Progress
from hotrow.train.events import Listener, Moment, TrainFigures

_REFRESH_SECONDS = 0.2


class TrainingBar(Listener):
    """Shows samples/s, loss, AUC and time left; drawn a few times a second at most.

    Args:
        progress: counts samples.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._figures: dict[str, object] = {}
        self._waiting = 0
        self._drawn = 0.0

    def on_step(self, samples: int) -> None:
        """Count a batch."""
        self._waiting += samples
        if time.monotonic() - self._drawn >= _REFRESH_SECONDS:
            self._draw()

    def on_figures(self, moment: Moment, figures: TrainFigures) -> None:
        """Show the training figures from now on."""
        self._figures |= {"loss": figures.loss} | ({} if figures.auc is None else {"auc": figures.auc})

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        """Show the latest validation from now on."""
        self._figures |= {"valid_ne": metrics.ne} if metrics.ne is not None else {}
        self._draw()

    def _draw(self) -> None:
        self._progress.advance(self._waiting, **self._figures)
        self._waiting, self._drawn = 0, time.monotonic()
