"""Training: the loop, its checkpoints, and the evaluation of what it made."""

from hotrow.train.config import (
    CheckpointConfig,
    DenseOptimizerConfig,
    ScheduleConfig,
    TrainConfig,
    ValidationConfig,
)
from hotrow.train.evaluate_run import evaluate_run
from hotrow.train.evaluation import evaluate
from hotrow.train.events import Listener, Moment, TrainFigures
from hotrow.train.recipe import Recipe, change, make_recipe
from hotrow.train.report import TrainReport
from hotrow.train.run import train_model
from hotrow.train.run_folder import RunFolder
from hotrow.train.warm_start import grown_recipe

__all__ = [
    "CheckpointConfig",
    "DenseOptimizerConfig",
    "Listener",
    "Moment",
    "Recipe",
    "RunFolder",
    "ScheduleConfig",
    "TrainConfig",
    "TrainFigures",
    "TrainReport",
    "ValidationConfig",
    "change",
    "evaluate",
    "evaluate_run",
    "grown_recipe",
    "make_recipe",
    "train_model",
]
