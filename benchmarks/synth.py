"""Rows per second and peak memory of ``hotrow synth criteo``, at two lengths of log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LENGTHS = (1_000_000, 4_000_000)
SEED = 1


def run() -> dict[str, object]:
    """Write a shorter and a longer log, each in a process of its own; memory should not grow."""
    with tempfile.TemporaryDirectory() as folder:
        return {f"{rows // 1_000_000}M_rows": _write(Path(folder) / "log.txt", rows) for rows in LENGTHS}


def _write(out: Path, rows: int) -> dict[str, object]:
    words = ["synth", "criteo", "--rows", str(rows), "--seed", str(SEED), "--out", str(out), "--json"]
    with subprocess.Popen([sys.executable, "-m", "hotrow", *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        answer = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"hotrow synth criteo exited with status {process.returncode}")
    report = json.loads(answer)
    out.unlink()
    shown = ("rows_per_second", "seconds", "bytes", "click_rate", "oracle_auc", "learnable_auc")
    return {"peak_rss_mib": usage.ru_maxrss / 1024, **{field: report[field] for field in shown}}
