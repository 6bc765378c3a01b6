"""From a log of Criteo's shape to a trained model; and how long that is for Kaggle's 45.8M rows.

Each command is a process of its own, as users start it. Minutes for Kaggle's log are the measured ones times
its rows by those here; what does not grow with the rows is so counted several times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hotrow.synth import synthesize_criteo

ROWS = int(os.environ.get("EPOCH_ROWS", "10000000"))
KAGGLE_ROWS = 45_840_617
SEED = 1

Figures = dict[str, Any]


def run() -> Figures:
    """Prepare and train with the default settings."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, data = folder / "log.txt", folder / "data"
        synthesize_criteo(log, ROWS, SEED)
        size = log.stat().st_size
        prepared, prepare_s = _hotrow("prepare", "criteo", log, "--out", data)
        log.unlink()
        trained, train_s = _hotrow("train", data, "--model", "dlrm-kaggle", "--out", folder / "run")
    share = KAGGLE_ROWS / ROWS / 60
    return {
        "rows": ROWS,
        "log MiB": size / 2**20,
        "prepare, rows/s": ROWS / prepare_s,
        "prepare, peak MiB": prepared["peak_rss_mib"],
        "train, samples/s": trained["samples_per_second"],
        "train, peak MiB": trained["peak_rss_mib"],
        "train, test AUC": trained["test"]["auc"],
        "Kaggle's rows, minutes": {"prepare": prepare_s * share, "train an epoch": train_s * share},
    }


def _hotrow(*words: object) -> tuple[Figures, float]:
    """Return what a command reports, and its seconds as a whole process."""
    command = [sys.executable, "-m", "hotrow", *map(str, words), "--json"]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    report: Figures = json.loads(done.stdout)
    return report, time.perf_counter() - started
