"""Trains at the points of ``tests.killing``; run by test_kill.py.

Usage: python -m tests.train.killing DATASET OUT POINT..., or DATASET OUT random KILLS.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch._dynamo  # here, once, because torch imports it at the first optimizer, in every child
import torch.utils.tensorboard
from tests.killing import run_at_random, run_points

from hotrow.data.dataset import Dataset
from hotrow.train import RunFolder, make_recipe, train_model

SETTINGS = {
    "batch_size": "64",
    "epochs": "2",
    "log_every": "4",
    "validation.per_epoch": "2",
    "checkpoints.per_epoch": "3",
}


def main() -> None:
    """Start a run for each point, or resume it when there is one."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])

    def train(folder: Path) -> str:
        torch.set_num_threads(1)
        dataset = Dataset.open(data)
        recipe = make_recipe("dlrm-small", dataset.schema.inputs(), settings=SETTINGS)
        train_model(dataset, recipe, folder, resume=RunFolder(folder).is_run)
        return ""

    if sys.argv[3] == "random":
        run_at_random(int(sys.argv[4]), out, train)
    else:
        run_points([*map(int, sys.argv[3:])], out, train)


if __name__ == "__main__":
    main()
