"""How far a run is: what a checkpoint holds beside tensors."""

from __future__ import annotations

from dataclasses import dataclass, field

from hotrow.train.config import ValidationConfig
from hotrow.train.phases import Phases


@dataclass(kw_only=True)
class RunProgress:
    """Position and history of a run; changed by the loop only.

    The loader's position follows from ``step``: its order is a pure function of seed and epoch.

    Attributes:
        step: steps done.
        samples: training rows seen.
        seconds: time spent training, without validation and checkpoints.
        phases: what it was spent on.
        window_seconds: the part of it since the last training figures.
        window_samples: training rows seen since then.
        validated_step: at which step the last validation was; -1 before the first.
        best_step: the step that was best by ``validation.metric``; -1 before the first.
        best_value: that metric then.
        stale: validations in a row that did not improve on it.
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    phases: Phases = field(default_factory=Phases)
    window_seconds: float = 0.0
    window_samples: int = 0
    validated_step: int = -1
    best_step: int = -1
    best_value: float | None = None
    stale: int = 0

    def add_step(self, samples: int, seconds: float) -> None:
        """Count one training step."""
        self.step += 1
        self.samples += samples
        self.window_samples += samples
        self.seconds += seconds
        self.window_seconds += seconds

    def add_validation(self, value: float, config: ValidationConfig) -> None:
        """Count a validation at this step and compare its metric with the best so far."""
        self.validated_step = self.step
        sign = 1.0 if config.metric == "log_loss" else -1.0
        best = None if self.best_value is None else sign * self.best_value
        improved_enough = best is None or sign * value < best - config.min_delta
        self.stale = 0 if improved_enough else self.stale + 1
        if best is None or sign * value < best:
            self.best_step, self.best_value = self.step, value

    def drain_rate(self) -> float:
        """Return samples per second since the last figures, and start anew."""
        rate = self.window_samples / self.window_seconds if self.window_seconds > 0 else 0.0
        self.window_samples, self.window_seconds = 0, 0.0
        return rate

    def is_out_of_patience(self, config: ValidationConfig) -> bool:
        """Return whether validation has not improved for too long."""
        return config.patience is not None and self.stale >= config.patience
