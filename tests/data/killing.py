"""Prepares at the points of ``tests.killing``; run by test_prepare_killed.py.

Usage: python -m tests.data.killing FORMAT SCHEMA SOURCE OUT POINT..., or ... OUT random KILLS; SCHEMA is
empty for none. What is done is noted after every chunk, and chunks are small. Prints too how many chunks the
last process parsed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.killing import run_at_random, run_points

from hotrow.data import _reading
from hotrow.data.formats.criteo import Criteo
from hotrow.data.formats.csv import CsvLog
from hotrow.data.prepare import prepare

_CHUNK = 16384


def main() -> None:
    """Prepare for all points."""
    name, schema, source, out = sys.argv[1:5]
    _reading.NOTE_EVERY = 0.0
    for log_format in (Criteo, CsvLog):
        defaults: Any = log_format.__init__.__kwdefaults__
        defaults["block_bytes"] = _CHUNK

    def prepared(folder: Path) -> str:
        parsed = _count_chunks()
        folder.mkdir(exist_ok=True)
        if not (folder / "data").exists():  # it is complete from then on, and a repetition refuses it
            prepare(name, [Path(source)], folder / "data", schema=Path(schema) if schema else None)
        return str(len(parsed))

    if sys.argv[5] == "random":
        run_at_random(int(sys.argv[6]), Path(out), prepared)
    else:
        run_points([*map(int, sys.argv[5:])], Path(out), prepared)


def _count_chunks() -> list[int]:
    """Return a list that grows with every chunk that is parsed."""
    parsed: list[int] = []
    parse: Any = _reading._parse

    def counted(*arguments: object) -> object:
        parsed.append(1)
        return parse(*arguments)

    counting: Any = counted
    _reading._parse = counting
    return parsed


if __name__ == "__main__":
    main()
