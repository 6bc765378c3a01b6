"""Runs that are interrupted, what must be the same in two runs, and data that is changed for them."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from hotrow.data.dataset import Dataset
from hotrow.data.raw import EncodedBlock
from hotrow.data.shards import write_shard
from hotrow.metrics import Evaluation
from hotrow.train import Listener, Moment

_TIMES = ("seconds", "samples_per_second")


class PressAt(Listener):
    """Presses Ctrl-C at a step.

    Args:
        step: counted from where training begins.
        number: the signal, where it is another.
    """

    def __init__(self, step: int, number: signal.Signals = signal.SIGINT) -> None:
        self.left = step
        self.number = number

    def on_step(self, samples: int) -> None:
        """Count down."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(self.number)


class PressAfterValidation(Listener):
    """Presses Ctrl-C after the validation at a step, which is no step any more."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        """Look at the step."""
        if moment.step == self.step:
            signal.raise_signal(signal.SIGINT)


class StopAt(Listener):
    """Raises after a number of steps.

    Args:
        steps: counted from where training begins.
        error: what is raised.
    """

    def __init__(self, steps: int, error: BaseException) -> None:
        self.left = steps
        self.error = error

    def on_step(self, samples: int) -> None:
        """Count down."""
        self.left -= 1
        if self.left == 0:
            raise self.error


def rewrite_shard(data: Dataset, split: str, number: int, block: EncodedBlock) -> None:
    """Write other rows of a shard; ``block`` may be mapped from its file."""
    files = json.loads((data.path / "schema.json").read_text())["splits"][split]["shards"]
    write_shard(data.path / "new.arrow", block, data.schema)
    (data.path / "new.arrow").replace(data.path / files[number]["file"])


def metrics_lines(run: Path) -> list[dict[str, Any]]:
    """Return metrics.jsonl without what depends on the machine's speed."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in _TIMES} for line in lines]
