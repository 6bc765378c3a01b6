"""The training loop: batches in, a trained model and events out. It knows no files.

Shapes: B batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from hotrow.data.loader import Loader
from hotrow.embedding import EmbeddingTables
from hotrow.errors import DivergedError
from hotrow.interrupt import Interrupt, StopRequestedError, stop
from hotrow.models import Correction, RankingModel
from hotrow.train.calendar import Calendar
from hotrow.train.config import TrainConfig
from hotrow.train.events import Listener, Moment, TaskFigures, TrainFigures
from hotrow.train.loss import TaskLoss
from hotrow.train.optimizers import set_learning_rate
from hotrow.train.pieces import pieces
from hotrow.train.progress import RunProgress
from hotrow.train.schedule import rate_multiplier
from hotrow.train.tasks import task_labels
from hotrow.train.validation import validate, validation_value
from hotrow.train.window import Losses, Window
from hotrow.types import Batch


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
    ) -> None:
        self.learner = learner
        self.config = config
        self.correction = correction or Correction()
        self.calendar = Calendar(steps_per_epoch=training.batches, epochs=config.epochs)
        self._training = training
        self._validation = validation
        self._save = save
        self._listener = listener
        self._saved_step = learner.progress.step
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
            for batch in batches:
                self._step(batch)
                now = time.perf_counter()
                self.learner.progress.add_step(len(batch), now - started)
                self._listener.on_step(len(batch))
                self._tell_figures()
                interrupt.check()
                paused = time.perf_counter()
                self._catch_up(interrupt)
                started = now + time.perf_counter() - paused
                if self.is_finished:
                    return

    def _step(self, batch: Batch) -> None:
        learner, count = self.learner, self.config.accumulate
        self._set_rates()
        if count == 1:
            self._learn(batch)
        else:
            with learner.embeddings.accumulating():
                for piece in pieces(batch, count):
                    self._learn(piece)
        if self.config.dense.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(learner.dense_parameters(), self.config.dense.clip_norm)
        learner.optimizer.step()
        learner.optimizer.zero_grad()

    def _learn(self, batch: Batch) -> None:
        """Judge rows, and add their gradients to those of the step."""
        labels = self._labels.of(batch)
        logits, aux = self.learner.model.training_output(batch)
        loss, losses_K = self._loss(logits, labels)
        losses = Losses(
            total=loss.item(),
            aux=None if aux is None else aux.item(),
            tasks=() if losses_K is None else tuple(losses_K.tolist()),
        )
        self._require_finite(losses)
        objective = loss if aux is None else loss + aux
        (objective / self._nominal_rows).backward()  # type: ignore[no-untyped-call]
        self.learner.window.add(losses, logits.detach(), labels)

    def _require_finite(self, losses: Losses) -> None:
        for name, value in (("loss", losses.total), ("auxiliary loss", losses.aux)):
            if value is not None and not math.isfinite(value):
                raise DivergedError(
                    f"step {self.learner.progress.step + 1}: the {name} is {value}, "
                    "expected a finite number; lower tables.lr and dense.lr, or set dense.clip_norm"
                )

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
        self.learner.progress.add_validation(validation_value(metrics, config), config)
        self._saved_step = -1
        self._listener.on_validation(self.moment(), metrics)

    def _checkpoint(self) -> None:
        for name, parameter in self.learner.model.dense_parameters():
            if not torch.isfinite(parameter).all():
                raise DivergedError(
                    f"step {self.learner.progress.step}: {name} has weights that are not finite numbers; "
                    "lower tables.lr and dense.lr, or set dense.clip_norm"
                )
        self._save()
        self._saved_step = self.learner.progress.step
