"""Progress on standard error: a bar on a terminal, an occasional line in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from hotrow.units import format_count

_LINE_SECONDS = 15.0

SECONDS = "seconds"
"""Unit of work that is measured by the time it takes: it has no rate, and what is left of it is the rest."""


class Progress(Protocol):
    """Where long work reports how far it is."""

    def advance(self, count: float, **figures: object) -> None:
        """Add ``count`` finished units; ``figures`` are shown beside the bar, e.g. ``loss=0.45``."""


class _Silent:
    def advance(self, count: float, **figures: object) -> None:
        pass


class _Lines:
    """One line every 15 seconds, for standard error that is no terminal."""

    def __init__(self, task: str, total: float | None, unit: str, completed: float) -> None:
        self._task, self._total, self._unit = task, total, unit
        self._done = self._before = completed
        self._started = self._written = time.monotonic()

    def advance(self, count: float, **figures: object) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._written >= _LINE_SECONDS:
            self._written = now
            done = format_count(self._done)
            if self._total:
                done += f" of {format_count(self._total)} ({self._done / self._total:.0%})"
            rate = (self._done - self._before) / (now - self._started)
            left = f", {max(self._total - self._done, 0) / rate:.0f} s left" if self._total and rate else ""
            pace = "" if self._unit == SECONDS else f", {format_count(rate)}/s{left}"
            print(f"{self._task}: {done} {self._unit}{pace}{_render(figures)}", file=sys.stderr)


@contextmanager
def progress(
    task: str, total: float | None, unit: str, *, completed: float = 0, show: bool = True
) -> Iterator[Progress]:
    """Report the progress of ``task`` while the block runs.

    Args:
        task: what is being done, e.g. ``"prepare"``.
        total: how many units there are, when known.
        unit: what is counted, e.g. ``"rows"``, or ``SECONDS``.
        completed: units that were finished before (a resumed job).
        show: false keeps it silent (library calls).
    """
    if not show:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(task, total, unit, completed) as bar:
            yield bar
    else:
        yield _Lines(task, total, unit, completed)


@contextmanager
def _bar(task: str, total: float | None, unit: str, completed: float) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
        *([] if unit == SECONDS else [TimeRemainingColumn()]),
        TextColumn("{task.fields[figures]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as rich:
        handle = rich.add_task(task, total=total, completed=int(completed), done="", figures="")
        yield _Bar(rich.advance, rich.update, handle, unit, completed)


class _Bar:
    def __init__(
        self,
        advance: Callable[..., None],
        update: Callable[..., None],
        handle: int,
        unit: str,
        completed: float,
    ) -> None:
        self._advance, self._update, self._handle, self._unit = advance, update, handle, unit
        self._done = completed
        self._counted = 0.0
        self._started = time.monotonic()

    def advance(self, count: float, **figures: object) -> None:
        self._done += count
        self._counted += count
        rate = self._counted / max(time.monotonic() - self._started, 1e-9)
        self._advance(self._handle, count)
        done = f"{format_count(self._done)} {self._unit}"
        if self._unit != SECONDS:
            done += f", {format_count(rate)}/s"
        self._update(self._handle, done=done, figures=_render(figures))


def _render(figures: dict[str, object]) -> str:
    return "".join(
        f", {name} {value:.4f}" if isinstance(value, float) else f", {name} {value}"
        for name, value in figures.items()
    )
