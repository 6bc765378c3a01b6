"""Work in forked processes, killed at a chosen file operation or at any time, and repeated to its end."""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

OPERATIONS = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.rmtree")


class Killer:
    """Counts operations on files below a folder, and kills this process before one of them.

    Args:
        folder: whose files count.
        point: before which operation, from 1; 0: never.
    """

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


def run_points(points: Sequence[int], out: Path, work: Callable[[Path], str]) -> None:
    """For each point work in ``out/POINT``, killed (SIGKILL) right before that operation on a file of it.

    Then again, killed right before operation POINT / 2; and again to the end. Prints, for each point, the
    kills, and of the last process its operations and what it returned.

    Args:
        points: 0 is never killed.
        out: an existing folder.
        work: is given the folder, which may be there; returns what is to be printed.
    """
    report = out / "report.txt"
    for point in points:
        kills = 0
        for moment in (point, point // 2, 0):
            status = _in_child(out / str(point), moment, work, report)
            if status not in (0, -signal.SIGKILL):
                sys.exit(f"point {point}: exit status {status}")
            if status == 0:
                break
            kills += 1
        print(kills, report.read_text(), flush=True)


def run_at_random(kills: int, out: Path, work: Callable[[Path], str]) -> None:
    """Work in ``out/0``, undisturbed; then in ``out/1`` and on, killed (SIGKILL) at random times, repeatedly.

    Each is worked at to its end; the last one takes what is left of the kills. Prints for each how often it
    was killed.

    Args:
        kills: all together.
        out: an existing folder.
        work: is given the folder, which may be there.
    """
    generator, report = random.Random(0), out / "report.txt"
    started = time.monotonic()
    if _in_child(out / "0", 0, work, report) != 0:
        sys.exit("undisturbed: it failed")
    whole = time.monotonic() - started
    number = 0
    while kills:
        number, killed = number + 1, 0
        while True:
            seconds = generator.uniform(0.0, whole) if kills else None
            status = _in_child(out / str(number), 0, work, report, seconds)
            if status not in (0, -signal.SIGKILL):
                sys.exit(f"{number}, killed {killed} times: exit status {status}")
            if status == 0:
                break
            killed, kills = killed + 1, kills - 1
        print(killed, flush=True)


def _in_child(
    folder: Path, point: int, work: Callable[[Path], str], report: Path, seconds: float | None = None
) -> int:
    """Do it in a forked process and return its exit status, negative for a signal.

    Args:
        folder: of the work.
        point: before which file operation it kills itself; 0: never.
        work: is given the folder.
        report: takes its file operations and what it returned.
        seconds: after which it is killed; None: never.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            killer = Killer(folder, point)
            sys.addaudithook(killer)
            found = work(folder)
            report.write_text(f"{killer.count} {found}")
            status = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()
            os._exit(status)
    ended = os.pidfd_open(child)
    if not select.select([ended], [], [], seconds)[0]:
        signal.pidfd_send_signal(ended, signal.SIGKILL)
    os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
