"""Everything that decides how a model is trained, with its defaults: the one place they stand.

The defaults are for Criteo-like click logs: one epoch, batches of 2048. The tables' ``eps`` is large
on purpose: gradients of a mean over 2048 rows are small (an estimated 1e-4 per lookup), so a row must be
seen some twenty times, by the same estimate, before Adagrad's normalisation takes over, and rare
rows move only as far as their few clicks justify.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from hotrow.data.sampling import SamplingConfig
from hotrow.embedding import TableOptimizerConfig
from hotrow.errors import ConfigError

DenseOptimizerKind = Literal["sgd", "adagrad", "adam", "adamw"]
Decay = Literal["constant", "linear", "polynomial", "cosine"]
Strategy = Literal["cpu"]
Precision = Literal["fp32", "bf16"]
ValidationMetric = Literal["log_loss", "auc", "gauc", "ndcg", "hr"]


def _at_least(where: str, value: float, least: float) -> None:
    if not value >= least:
        raise ConfigError(where, value, f"at least {least}")
    if value == math.inf:
        raise ConfigError(where, value, "a finite number")


@dataclass(frozen=True, kw_only=True)
class DenseOptimizerConfig:
    """The optimizer of the networks, from ``torch.optim``.

    Attributes:
        kind: which one.
        lr: learning rate, before the schedule.
        weight_decay: as the optimizer defines it.
        clip_norm: gradients are scaled down to this norm, over all networks together; None for no
            clipping. The tables' gradients are not clipped: they are never materialised.
    """

    kind: DenseOptimizerKind = "adam"
    lr: float = 0.002
    weight_decay: float = 0.0
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        _at_least("dense.lr", self.lr, 0)
        _at_least("dense.weight_decay", self.weight_decay, 0)
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ConfigError("dense.clip_norm", self.clip_norm, "a number above 0, or null for no clipping")


@dataclass(frozen=True, kw_only=True)
class LabelWeights:
    """What an example counts in the loss, by its label.

    Unequal weights change the odds that a model learns; the artifact's correction undoes that, so that
    probabilities stay those of the data (``hotrow.models.Correction``).

    Attributes:
        positive: of label 1, a number for each task; empty for all 1.
        negative: of label 0, likewise.
    """

    positive: tuple[float, ...] = ()
    negative: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, weights in (("positive", self.positive), ("negative", self.negative)):
            for weight in weights:
                if not 0 < weight < math.inf:
                    raise ConfigError(f"label_weights.{name}", weight, "a finite number above 0")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How both learning rates, the tables' and the networks', change over a run.

    Attributes:
        warmup: share of all steps over which the rates rise linearly from near 0 to their full value.
        decay: how they fall after that.
        final: what they fall to, as a share of the full value.
        power: exponent of the polynomial decay.
    """

    warmup: float = 0.02
    decay: Decay = "linear"
    final: float = 0.01
    power: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ConfigError("schedule.warmup", self.warmup, "a share of all steps, at least 0 and below 1")
        if not 0 <= self.final <= 1:
            raise ConfigError("schedule.final", self.final, "a share of the full rate, from 0 to 1")
        if not self.power > 0:
            raise ConfigError("schedule.power", self.power, "a number above 0")


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """Validation while training, and early stopping. The finished model is judged on all rows.

    Attributes:
        per_epoch: validations in an epoch, equally spaced, the last at its end.
        max_rows: only the first rows of the split are used; null for all.
        batch_size: rows that are scored at a time.
        metric: by which the best model is chosen, of the first task: ``log_loss`` (lowest), ``auc``,
            or how it ranks within groups: ``gauc``, ``ndcg`` or ``hr``.
        at: length of the top lists of ranking metrics.
        patience: stop after this many validations in a row that improved on the best by less than
            ``min_delta``; null to train all epochs.
        min_delta: in the metric's unit (log loss: nats).
    """

    per_epoch: int = 4
    max_rows: int | None = 1_000_000
    batch_size: int = 8192
    metric: ValidationMetric = "log_loss"
    at: int = 10
    patience: int | None = None
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        _at_least("validation.per_epoch", self.per_epoch, 1)
        _at_least("validation.batch_size", self.batch_size, 1)
        _at_least("validation.at", self.at, 1)
        _at_least("validation.min_delta", self.min_delta, 0)
        if self.max_rows is not None:
            _at_least("validation.max_rows", self.max_rows, 1)
        if self.patience is not None:
            _at_least("validation.patience", self.patience, 1)


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """When checkpoints are written, and which are kept.

    Attributes:
        per_epoch: checkpoints in an epoch, equally spaced, the last at its end.
        keep_last: how many of the newest are kept.
        keep_best: whether the one that is best by ``validation.metric`` is kept as well (and written
            when a validation finds it); it is then the model that is exported, else the last one is.
    """

    per_epoch: int = 4
    keep_last: int = 2
    keep_best: bool = True

    def __post_init__(self) -> None:
        _at_least("checkpoints.per_epoch", self.per_epoch, 1)
        _at_least("checkpoints.keep_last", self.keep_last, 1)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is trained.

    Attributes:
        epochs: passes over the training split.
        batch_size: B, rows of the training split, to which ``sampling`` adds its own. An epoch's last
            batch has what rows are left over; it weighs accordingly.
        accumulate: pieces that a batch is computed in, one after another, their gradients added up: the
            networks need the memory of a piece, and the step is that of the batch.
        seed: of the initial weights and of the order of the rows.
        strategy: where tables and networks are: ``cpu``, both in the host's memory.
        precision: of the networks' matrix products while training, see ``hotrow.layers.half``.
        sampling: of negatives: added to every batch, or left out.
        tables: the embedding tables' optimizer.
        dense: the networks' optimizer.
        task_weights: what the losses of the model's tasks are multiplied by, in their order; empty for
            all 1.
        label_weights: what examples count by their label.
        schedule: of both learning rates.
        validation: while training.
        checkpoints: when and how many.
        log_every: steps between two lines of ``metrics.jsonl``.
    """

    epochs: int = 1
    batch_size: int = 2048
    accumulate: int = 1
    seed: int = 0
    strategy: Strategy = "cpu"
    precision: Precision = "fp32"
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    tables: TableOptimizerConfig = field(default_factory=lambda: TableOptimizerConfig(lr=0.2, eps=5e-4))
    dense: DenseOptimizerConfig = DenseOptimizerConfig()
    task_weights: tuple[float, ...] = ()
    label_weights: LabelWeights = LabelWeights()
    schedule: ScheduleConfig = ScheduleConfig()
    validation: ValidationConfig = ValidationConfig()
    checkpoints: CheckpointConfig = CheckpointConfig()
    log_every: int = 50

    def __post_init__(self) -> None:
        _at_least("epochs", self.epochs, 1)
        _at_least("batch_size", self.batch_size, 1)
        _at_least("accumulate", self.accumulate, 1)
        if self.accumulate > self.batch_size:
            raise ConfigError("accumulate", self.accumulate, f"at most the batch_size, {self.batch_size}")
        _at_least("log_every", self.log_every, 1)
        for weight in self.task_weights:
            _at_least("task_weights", weight, 0)
        if not 0 <= self.seed < 2**63:
            raise ConfigError("seed", self.seed, "a whole number from 0 to 2**63 - 1")
