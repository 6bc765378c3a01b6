"""The training loop: batches in, a trained model and events out. It knows no files.

Shapes: B batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotrow.data.loader import Loader
from hotrow.embedding import EmbeddingTables
from hotrow.errors import DivergedError, NonFiniteGradientError
from hotrow.interrupt import Interrupt, StopRequestedError, stop
from hotrow.models import Correction, RankingModel
from hotrow.train.calendar import Calendar
from hotrow.train.config import TrainConfig
from hotrow.train.events import Listener, Moment, TaskFigures, TrainFigures
from hotrow.train.loss import TaskLoss
from hotrow.train.optimizers import set_learning_rate
from hotrow.train.phases import PhaseClock
from hotrow.train.pieces import pieces
from hotrow.train.progress import RunProgress
from hotrow.train.schedule import rate_multiplier
from hotrow.train.tasks import task_labels
from hotrow.train.validation import validate, validation_value
from hotrow.train.window import Losses, Window
from hotrow.types import Batch

KeepBatch = Callable[[int, Batch, NDArray[np.int64], Tensor], str]
"""Keeps the batch of a step that could not be made: see ``hotrow.train.diverged.keep_batch``."""

_ADVICE = "lower tables.lr and dense.lr, or set dense.clip_norm"

_HOPELESS_LOG_LOSS = 10.0
"""Nats of log loss on validation rows above which training stops: logits are wrong by 10 on average, which is
no property of data, but of rates that are far too high."""


@dataclass(kw_only=True)
class Learner:
    """All that training changes.

    Attributes:
        model: the model.
        embeddings: its tables, with a fused optimizer.
        optimizer: of the networks.
        window: the latest steps.
        progress: how far it is.
    """

    model: RankingModel
    embeddings: EmbeddingTables
    optimizer: torch.optim.Optimizer
    window: Window
    progress: RunProgress

    def dense_parameters(self) -> list[torch.nn.Parameter]:
        """Return the networks' parameters."""
        return [parameter for _, parameter in self.model.dense_parameters()]


class Trainer:
    """Trains from wherever the learner is to the last step, or until validation stops improving.

    Args:
        learner: what is trained.
        config: how.
        training: of the training split, shuffled.
        validation: of the validation split, or None for none.
        save: writes a checkpoint of the learner as it is.
        listener: is told what happens.
        correction: what makes the probabilities of the model's logits those of the data; None for nothing.
        keep_batch: keeps a batch whose loss is no finite number, and says where; None: it is not kept.

    Raises:
        ConfigError: the data set has no label for one of the model's tasks, or tasks and weights differ
            in number.
    """

    def __init__(
        self,
        learner: Learner,
        config: TrainConfig,
        *,
        training: Loader,
        validation: Loader | None,
        save: Callable[[], None],
        listener: Listener,
        correction: Correction | None = None,
        keep_batch: KeepBatch | None = None,
    ) -> None:
        self.learner = learner
        self.config = config
        self.correction = correction or Correction()
        self.calendar = Calendar(steps_per_epoch=training.batches, epochs=config.epochs)
        self._training = training
        self._validation = validation
        self._save = save
        self._listener = listener
        self._keep_batch = keep_batch
        self._saved_step = learner.progress.step
        self._clock = PhaseClock(learner.progress.phases, learner.embeddings.spent)
        self._labels = task_labels(learner.model.tasks, training.labels)
        self._loss = TaskLoss(self._labels.names, config.task_weights, config.label_weights)
        # The rows left over at the end of an epoch make a smaller batch; divided by the usual size,
        # each of its rows weighs as much as any other row.
        self._nominal_rows = min(config.batch_size, training.rows) * training.factor

    def run(self, interrupt: Interrupt) -> None:
        """Train to the end.

        Raises:
            DivergedError: loss or weights are no longer finite numbers.
            KeyboardInterrupt: Ctrl-C was pressed; a checkpoint of this very step was written.
            SystemExit: SIGTERM came; likewise.
        """
        try:
            self._catch_up(interrupt)
            while not self.is_finished:
                self.run_epoch(interrupt)
        except StopRequestedError as request:
            if self.learner.progress.step != self._saved_step:
                self._checkpoint()
            raise stop(request.number) from None

    @property
    def is_finished(self) -> bool:
        """Whether all steps are done or validation no longer improves."""
        progress = self.learner.progress
        return progress.step >= self.calendar.total or progress.is_out_of_patience(self.config.validation)

    def moment(self) -> Moment:
        """Return where the run is."""
        progress = self.learner.progress
        return Moment(
            step=progress.step,
            epoch=self.calendar.epochs_done(progress.step),
            samples=progress.samples,
            seconds=progress.seconds,
        )

    def run_epoch(self, interrupt: Interrupt) -> None:
        """Train on what is left of the current epoch."""
        epoch, start = self.calendar.position(self.learner.progress.step)
        with self._training.epoch(epoch, start=start) as batches:
            started = time.perf_counter()
            self._clock.start()
            for batch in batches:
                self._clock.end("load")
                self._step(batch)
                now = time.perf_counter()
                self.learner.progress.add_step(len(batch), now - started)
                self._listener.on_step(len(batch))
                self._tell_figures()
                interrupt.check()
                paused = time.perf_counter()
                self._catch_up(interrupt)
                started = now + time.perf_counter() - paused
                self._clock.start()
                if self.is_finished:
                    return

    def _step(self, batch: Batch) -> None:
        learner, count = self.learner, self.config.accumulate
        self._set_rates()
        try:
            if count == 1:
                self._learn(batch, batch, 0)
            else:
                first = 0
                with learner.embeddings.accumulating():
                    for piece in pieces(batch, count):
                        self._learn(piece, batch, first)
                        first += len(piece)
        except NonFiniteGradientError as error:
            kept = self._kept(batch, torch.zeros(0, dtype=torch.int64))
            raise DivergedError(f"step {learner.progress.step + 1}: {error}{kept}") from error
        if self.config.dense.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(learner.dense_parameters(), self.config.dense.clip_norm)
        learner.optimizer.step()
        learner.optimizer.zero_grad()
        self._clock.end("update")

    def _learn(self, rows: Batch, batch: Batch, first: int) -> None:
        """Judge rows, and add their gradients to those of the step.

        Args:
            rows: the batch, or a piece of it.
            batch: that of the step.
            first: the place of the rows in it.
        """
        labels = self._labels.of(rows)
        logits, aux = self.learner.model.training_output(rows)
        loss, losses_K = self._loss(logits, labels)
        losses = Losses(
            total=loss.item(),
            aux=None if aux is None else aux.item(),
            tasks=() if losses_K is None else tuple(losses_K.tolist()),
        )
        for name, value in (("loss", losses.total), ("auxiliary loss", losses.aux)):
            if value is not None and not math.isfinite(value):
                is_bad = ~torch.isfinite(logits.detach().view(len(rows), -1)).all(dim=1)
                raise self._diverged(f"the {name} is {value}", batch, is_bad.nonzero().squeeze(1) + first)
        self._clock.end("forward")
        objective = loss if aux is None else loss + aux
        (objective / self._nominal_rows).backward()  # type: ignore[no-untyped-call]
        self._clock.end("backward")
        self.learner.window.add(losses, logits.detach(), labels)

    def _diverged(self, found: str, batch: Batch, bad: Tensor) -> DivergedError:
        """Return the error that ends training at a batch."""
        culprit = self._spoilt_weights()
        since = "" if culprit is None else f"; {culprit} has had weights that are not since an earlier step"
        return DivergedError(
            f"step {self.learner.progress.step + 1}: {found}, expected a finite number{since}"
            f"{self._kept(batch, bad)}; {_ADVICE}"
        )

    def _kept(self, batch: Batch, bad: Tensor) -> str:
        """Keep a batch, and say where it is."""
        if self._keep_batch is None:
            return ""
        step = self.learner.progress.step
        rows = self._training.rows_of(*self.calendar.position(step))
        return f"; {self._keep_batch(step + 1, batch, rows, bad)}"

    def _spoilt_weights(self) -> str | None:
        """Return the name of a network's weights that are not finite numbers; None where all are."""
        for name, parameter in self.learner.model.dense_parameters():
            if not torch.isfinite(parameter).all():
                return name
        return None

    def _rates(self, step: int) -> tuple[float, float]:
        """Return the learning rates of tables and networks at a step, counted from 0."""
        share = rate_multiplier(self.config.schedule, step, self.calendar.total)
        return self.config.tables.lr * share, self.config.dense.lr * share

    def _set_rates(self) -> None:
        table_lr, dense_lr = self._rates(self.learner.progress.step)
        self.learner.embeddings.set_learning_rate(table_lr)
        set_learning_rate(self.learner.optimizer, dense_lr)

    def _tell_figures(self) -> None:
        progress = self.learner.progress
        if progress.step % self.config.log_every and progress.step != self.calendar.total:
            return
        losses, areas = self.learner.window.drain()
        table_lr, dense_lr = self._rates(progress.step - 1)
        tasks = zip(self._labels.names, losses.tasks, areas, strict=False)  # no losses of a single task
        figures = TrainFigures(
            loss=losses.total,
            auc=areas[0],
            table_lr=table_lr,
            dense_lr=dense_lr,
            samples_per_second=progress.drain_rate(),
            aux_loss=losses.aux,
            tasks={name: TaskFigures(loss=loss, auc=area) for name, loss, area in tasks},
        )
        self._listener.on_figures(self.moment(), figures)

    def _catch_up(self, interrupt: Interrupt) -> None:
        """Do what is due after the latest step: validate, then write a checkpoint."""
        progress = self.learner.progress
        due = self.calendar.is_due(progress.step, self.config.validation.per_epoch)
        if self._validation is not None and due and progress.validated_step != progress.step:
            self._validate(self._validation, interrupt)
        due = self.calendar.is_due(progress.step, self.config.checkpoints.per_epoch)
        best = self.config.checkpoints.keep_best and progress.best_step == progress.step
        if (due or best or self.is_finished) and self._saved_step != progress.step:
            self._checkpoint()

    def _validate(self, loader: Loader, interrupt: Interrupt) -> None:
        config = self.config.validation
        try:
            metrics = validate(
                self.learner.model, loader, config, lambda rows: interrupt.check(), self.correction
            )
        except DivergedError as error:
            raise DivergedError(f"step {self.learner.progress.step}: validation: {error}") from error
        if metrics.log_loss is not None and metrics.log_loss > _HOPELESS_LOG_LOSS:
            raise DivergedError(
                f"step {self.learner.progress.step}: validation: the log loss is {metrics.log_loss:.4g}, "
                f"that of a model that knows nothing {math.log(2):.2g}; {_ADVICE}"
            )
        self.learner.progress.add_validation(validation_value(metrics, config), config)
        self._saved_step = -1
        self._listener.on_validation(self.moment(), metrics)

    def _checkpoint(self) -> None:
        culprit = self._spoilt_weights()
        if culprit is not None:
            raise DivergedError(
                f"step {self.learner.progress.step}: {culprit} has weights that are not finite numbers; "
                f"{_ADVICE}"
            )
        self._save()
        self._saved_step = self.learner.progress.step
