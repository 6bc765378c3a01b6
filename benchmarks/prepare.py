"""Rows per second and peak memory of ``hotrow prepare criteo``, on synthetic logs of two lengths."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hotrow.synth import synthesize_criteo

LENGTHS = (2_000_000, 10_000_000)
SEED = 1


def run() -> dict[str, object]:
    """Prepare each log in a process of its own; memory must not grow with the length."""
    figures = {rows: _measure(rows) for rows in LENGTHS}
    peaks = [figure["peak_rss_mib"] for figure in figures.values()]
    return {
        **{f"{rows}_rows": figure for rows, figure in figures.items()},
        "peak_rss_growth_mib": peaks[-1] - peaks[0],
    }


def _measure(rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        log, out = Path(folder) / "log.txt", Path(folder) / "data"
        synthesize_criteo(log, rows, SEED)
        command = [sys.executable, "-m", "hotrow", "prepare", "criteo", str(log), "--out", str(out), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        report = json.loads(done.stdout)
        assert (report["rows"], report["rejected_rows"]) == (rows, 0)
        return {
            "log_mib": log.stat().st_size / 2**20,
            "seconds": report["seconds"],
            "rows_per_second": report["rows_per_second"],
            "peak_rss_mib": report["peak_rss_mib"],
        }
