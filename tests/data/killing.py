"""Prepares in forked processes that kill themselves at a chosen file operation; for test_prepare_killed.py.

Usage: killing.py FORMAT SCHEMA SOURCE OUT POINT... : for each POINT prepare SOURCE into OUT/POINT/data,
killed (SIGKILL) right before the POINT-th operation on a file below OUT/POINT; again, killed right before
operation POINT / 2; and again to the end. POINT 0 is never killed. SCHEMA is empty for none. What is done is
noted after every chunk, and chunks are small. Prints, for each, the kills, and of the last process its
operations and the chunks that it parsed.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from hotrow.data import _reading
from hotrow.data.formats.criteo import Criteo
from hotrow.data.formats.csv import CsvLog
from hotrow.data.prepare import prepare

OPERATIONS = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.rmtree")
_CHUNK = 16384


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


def prepare_once(words: tuple[str, str, str], folder: Path, point: int, report: Path) -> None:
    """Prepare, or go on; report the numbers of operations and of chunks."""
    name, schema, source = words
    parsed: list[int] = []
    parse: Any = _reading._parse

    def counted(*arguments: object) -> object:
        parsed.append(1)
        return parse(*arguments)

    counting: Any = counted
    _reading._parse = counting
    killer = Killer(folder, point)
    sys.addaudithook(killer)
    prepare(name, [Path(source)], folder / "data", schema=Path(schema) if schema else None)
    report.write_text(f"{killer.count} {len(parsed)}")


def in_child(words: tuple[str, str, str], folder: Path, point: int, report: Path) -> int:
    """Do it in a forked process and return its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            prepare_once(words, folder, point, report)
            status = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Prepare for all points."""
    words, out = (sys.argv[1], sys.argv[2], sys.argv[3]), Path(sys.argv[4])
    _reading.NOTE_EVERY = 0.0
    for log_format in (Criteo, CsvLog):
        defaults: Any = log_format.__init__.__kwdefaults__
        defaults["block_bytes"] = _CHUNK
    report = out / "report.txt"
    for point in map(int, sys.argv[5:]):
        kills = 0
        (out / str(point)).mkdir(exist_ok=True)
        for moment in (point, point // 2, 0):
            status = in_child(words, out / str(point), moment, report)
            if status not in (0, -signal.SIGKILL):
                sys.exit(f"point {point}: exit status {status}")
            if status == 0:
                break
            kills += 1
        print(kills, report.read_text(), flush=True)


if __name__ == "__main__":
    main()
