"""Trains in forked processes that kill themselves at a chosen file operation; run by test_kill.py.

Usage: killing.py DATASET OUT POINT... : for each POINT train into OUT/POINT, killed (SIGKILL) right before
the POINT-th operation on a file of the run; resume, killed again right before operation POINT / 2; resume and
finish. POINT 0 is never killed. Prints, for each, the kills and the operations of the last process.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
import torch._dynamo  # here, once, because torch imports it at the first optimizer, in every child
import torch.utils.tensorboard

from hotrow.data.dataset import Dataset
from hotrow.train import RunFolder, make_recipe, train_model

OPERATIONS = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.rmtree")
SETTINGS = {
    "batch_size": "64",
    "epochs": "2",
    "log_every": "4",
    "validation.per_epoch": "2",
    "checkpoints.per_epoch": "3",
}


class Killer:
    """Counts operations on files below a folder, and kills this process before one of them."""

    def __init__(self, folder: Path, point: int) -> None:
        self.folder = str(folder)
        self.point = point
        self.count = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event not in OPERATIONS or self.folder not in str(arguments[0]):
            return
        self.count += 1
        if self.count == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


def run_once(data: Path, out: Path, point: int, report: Path) -> None:
    """Start the run, or resume it when there is one; report the number of operations."""
    torch.set_num_threads(1)
    killer = Killer(out, point)
    sys.addaudithook(killer)
    dataset = Dataset.open(data)
    recipe = make_recipe("dlrm-small", dataset.schema.inputs(), settings=SETTINGS)
    train_model(dataset, recipe, out, resume=RunFolder(out).is_run)
    report.write_text(str(killer.count))


def in_child(data: Path, out: Path, point: int, report: Path) -> int:
    """Do it in a forked process and return its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run_once(data, out, point, report)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Run all points."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    report = out / "operations.txt"
    for point in map(int, sys.argv[3:]):
        kills = 0
        for moment in (point, point // 2, 0):
            status = in_child(data, out / str(point), moment, report)
            if status not in (0, -signal.SIGKILL):
                sys.exit(f"point {point}: exit status {status}")
            if status == 0:
                break
            kills += 1
        print(kills, report.read_text(), flush=True)


if __name__ == "__main__":
    main()
