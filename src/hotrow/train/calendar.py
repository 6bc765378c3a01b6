"""Which step falls when: epochs, and events that come several times an epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The steps of a run, counted by how many are done.

    Attributes:
        steps_per_epoch: batches of an epoch.
        epochs: passes over the training split.
    """

    steps_per_epoch: int
    epochs: int

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.epochs

    def position(self, step: int) -> tuple[int, int]:
        """Return the epoch and the batch in it that come after ``step`` steps."""
        return divmod(step, self.steps_per_epoch)

    def epochs_done(self, step: int) -> float:
        """Return how many epochs ``step`` steps are."""
        return step / self.steps_per_epoch

    def is_due(self, step: int, per_epoch: int) -> bool:
        """Return whether an event falls after ``step`` steps.

        Args:
            step: steps done.
            per_epoch: events of an epoch, equally spaced with the last at its end; at most one a step.
        """
        if step == 0:
            return False
        done = (step - 1) % self.steps_per_epoch + 1
        events = min(per_epoch, self.steps_per_epoch)
        return done * events // self.steps_per_epoch > (done - 1) * events // self.steps_per_epoch
