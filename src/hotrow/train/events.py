"""What the training loop tells whoever listens; it writes no file and draws no bar itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hotrow.metrics import Evaluation
from hotrow.train.report import TrainReport


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When something happened.

    Attributes:
        step: steps done.
        epoch: epochs done, as a fraction.
        samples: training rows seen, counted again in every epoch.
        seconds: time spent training so far, without validation and checkpoints, over all resumes.
    """

    step: int
    epoch: float
    samples: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TaskFigures:
    """Training of one task since the last figures.

    Attributes:
        loss: mean binary cross-entropy, in nats.
        auc: of the window's newest rows (``hotrow.train.window.AUC_ROWS``); None for one class.
    """

    loss: float
    auc: float | None


@dataclass(frozen=True, kw_only=True)
class TrainFigures:
    """Training since the last figures. Each row is judged before the model learns from it.

    Attributes:
        loss: mean binary cross-entropy, in nats, of rows as they are learnt from, weighted by their labels;
            of several tasks, the weighted sum of theirs.
        auc: of the first task.
        table_lr: the tables' learning rate at the last step.
        dense_lr: the networks' learning rate at the last step.
        samples_per_second: rows trained on per second, without validation and checkpoints.
        aux_loss: mean auxiliary loss, as it was added to the loss; None of models without.
        tasks: each task by its label's name; empty for a model of one task.
    """

    loss: float
    auc: float | None
    table_lr: float
    dense_lr: float
    samples_per_second: float
    aux_loss: float | None = None
    tasks: Mapping[str, TaskFigures] = field(default_factory=dict)


class Listener:
    """Is told what happens; every method may be left as it is."""

    def on_step(self, samples: int) -> None:
        """One batch of ``samples`` rows was trained on."""

    def on_figures(self, moment: Moment, figures: TrainFigures) -> None:
        """Training figures are there, every ``log_every`` steps."""

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        """The validation rows were scored."""

    def on_finish(self, moment: Moment, report: TrainReport) -> None:
        """All is done, and the model to be exported was judged on whole splits."""


class Listeners(Listener):
    """Tells several.

    Args:
        listeners: told in this order.
    """

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def on_step(self, samples: int) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.on_step(samples)

    def on_figures(self, moment: Moment, figures: TrainFigures) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.on_figures(moment, figures)

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.on_validation(moment, metrics)

    def on_finish(self, moment: Moment, report: TrainReport) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.on_finish(moment, report)
