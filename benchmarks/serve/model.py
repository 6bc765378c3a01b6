"""The model that servers are compared with: the Kaggle DLRM, trained on a generated log, and shrunk."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROWS = 500_000


@dataclass(frozen=True)
class Prepared:
    """A trained model and what belongs to it.

    Attributes:
        dataset: prepared.
        trained: the run, fp32.
        shrunk: the run with 8-bit tables and networks.
        auc_before: on the test split, of the fp32 model.
        auc_after: of the shrunk one.
    """

    dataset: Path
    trained: Path
    shrunk: Path
    auc_before: float
    auc_after: float


def prepared_model(folder: Path) -> Prepared:
    """Generate a log, train on it and shrink, with the commands that a user would type."""
    log, data, run, small = folder / "log.tsv", folder / "data", folder / "run", folder / "small"
    _hotrow("synth", "criteo", "--rows", ROWS, "--seed", 1, "--out", log)
    _hotrow("prepare", "criteo", log, "--out", data)
    _hotrow("train", data, "--model", "dlrm-kaggle", "--out", run, "--set", "epochs=1")
    shrunk = _hotrow("shrink", run, "--out", small, "--bits", 8, "--networks", "int8")
    return Prepared(data, run, small, float(shrunk["auc_before"]), float(shrunk["auc_after"]))


def _hotrow(*words: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "hotrow", *map(str, words), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result
