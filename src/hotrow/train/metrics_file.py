"""``metrics.jsonl``: one JSON object a line for every event worth keeping."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hotrow.config import to_mapping
from hotrow.metrics import Evaluation
from hotrow.train.events import Listener, Moment, TrainFigures
from hotrow.train.report import TrainReport


class MetricsFile(Listener):
    """Appends a line for each event, and can go back to an earlier length when a run is resumed.

    Every line has ``kind`` (``train``, ``validation`` or ``final``), ``step``, ``epoch``, ``samples``
    and ``seconds``. Of these only ``seconds``, and ``samples_per_second`` of a train line, depend on
    the machine's speed.

    Args:
        path: the file; made when it is not there.
        length: bytes to keep of what is there; what follows belongs to steps that are made again.
    """

    def __init__(self, path: Path, *, length: int) -> None:
        self._stream = path.open("ab")
        self._stream.truncate(min(length, path.stat().st_size))
        self._stream.seek(0, os.SEEK_END)

    def on_figures(self, moment: Moment, figures: TrainFigures) -> None:
        """Write a line of kind ``train``."""
        self._write("train", moment, to_mapping(figures))

    def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
        """Write a line of kind ``validation``."""
        self._write("validation", moment, {"validation": metrics.to_mapping()})

    def on_finish(self, moment: Moment, report: TrainReport) -> None:
        """Write the line of kind ``final``."""
        fields = report.to_mapping()
        self._write("final", moment, {name: fields[name] for name in ("best_step", "validation", "test")})

    def flush(self) -> int:
        """Bring all lines to the disk and return the length of the file, in bytes."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        return self._stream.tell()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _write(self, kind: str, moment: Moment, fields: dict[str, Any]) -> None:
        line = {"kind": kind, **to_mapping(moment), **fields}
        self._stream.write(json.dumps(line).encode() + b"\n")
        self._stream.flush()
