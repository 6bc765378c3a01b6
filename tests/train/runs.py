"""Runs that are interrupted, and what must be the same in two runs."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from hotrow.train import Listener

_TIMES = ("seconds", "samples_per_second")


class PressAt(Listener):
    """Presses Ctrl-C at a step."""

    def __init__(self, step: int) -> None:
        self.left = step

    def on_step(self, samples: int) -> None:
        """Count down."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def metrics_lines(run: Path) -> list[dict[str, Any]]:
    """Return metrics.jsonl without what depends on the machine's speed."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in _TIMES} for line in lines]
