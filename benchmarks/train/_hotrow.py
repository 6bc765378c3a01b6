"""hotrow: the loop of ``hotrow train``, with its loader, losses and figures."""

from __future__ import annotations

from contextlib import suppress

from hotrow.data.loader import Loader
from hotrow.interrupt import Interrupt, StopRequestedError
from hotrow.train import Listener, Recipe
from hotrow.train.loop import Trainer
from hotrow.train.run import build_learner
from hotrow.types import Batch


class Hotrow:
    """hotrow's trainer; it is no ``Contender``, because it reads batches itself.

    Args:
        recipe: of the run.
        loader: of the training split.
    """

    def __init__(self, recipe: Recipe, loader: Loader) -> None:
        learner = build_learner(recipe)
        self.initial = learner.model.state_dict()
        self.trainer = Trainer(
            learner, recipe.train, training=loader, validation=None, save=lambda: None, listener=Listener()
        )

    def train(self, steps: int) -> None:
        """Train on the next batches of the loader."""
        with suppress(StopRequestedError):
            self.trainer.run_epoch(_StopAfter(steps))

    def step(self, batch: Batch) -> None:
        """Train on a batch that is there already."""
        self.trainer._step(batch)


class _StopAfter(Interrupt):
    """Stops the loop after a number of steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def check(self) -> None:
        """Count a step."""
        self.left -= 1
        self.requested = self.left <= 0
        super().check()
