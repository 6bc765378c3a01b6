"""A load over HTTP from several processes, which together send exactly what one would.

All of them draw the same schedule and take every P-th query of it, and they start at the same moment of
the system's monotonic clock. So the arrivals are those of one process, whatever their law; Poisson streams of
independent processes would add up to a Poisson stream, but bursts of independent processes would wash out.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from hotrow.errors import ConfigError, InternalError, InvalidLoadError
from hotrow.interrupt import Interrupt, deferred_interrupt
from hotrow.load.job import HttpJob
from hotrow.load.query import Status
from hotrow.load.result import LoadResult, merge
from hotrow.load.schedule import make_schedule
from hotrow.load.worker import work
from hotrow.progress import Progress, progress

MAX_PROCESSES = 64

_START_DELAY_S = 0.1
_ANSWER_S = 60.0
_PATIENCE_S = 0.5


def run_processes(job: HttpJob, processes: int = 1, *, show_progress: bool = False) -> LoadResult:
    """Make a load, in processes of its own even if it is one: what this one does costs no latency then.

    On Ctrl-C sending stops, and what was measured so far is returned; at a second one KeyboardInterrupt is
    raised.

    Args:
        job: the load.
        processes: how many make it.
        show_progress: report progress on standard error.

    Raises:
        UserError: the job cannot be done.
    """
    if not 1 <= processes <= MAX_PROCESSES:
        raise ConfigError("--processes", processes, f"1 to {MAX_PROCESSES}")
    queries = len(make_schedule(job.config))
    with _started(job, processes) as crew:
        crew.wait_until_ready()
        with progress("load", queries, "queries", show=show_progress) as bar:
            return crew.run(job, bar)


class _Crew:
    """The processes of a run.

    Args:
        commands: pipes to them.
        reports: pipes from them.
    """

    def __init__(self, commands: list[Connection], reports: list[Connection]) -> None:
        self._commands, self._reports = commands, reports
        self._counts: list[dict[int, int]] = [{} for _ in reports]
        self._results: list[LoadResult | None] = [None for _ in reports]
        self._sent = 0

    def wait_until_ready(self) -> None:
        """Wait until all have their first queries made."""
        for pipe in self._reports:
            self._receive(pipe)

    def run(self, job: HttpJob, bar: Progress) -> LoadResult:
        """Start the run, and gather the results."""
        start = time.monotonic() + _START_DELAY_S
        self._tell("start", start)
        config = job.config
        deadline = start + config.warmup_seconds + config.seconds + job.grace_seconds + _ANSWER_S
        with deferred_interrupt("the answers that are under way") as interrupt:
            self._gather(bar, deadline, interrupt)
        return merge([result for result in self._results if result is not None])

    def _tell(self, kind: str, value: float | None) -> None:
        for pipe in self._commands:
            with suppress(BrokenPipeError):  # it has ended; what it reported says why
                pipe.send((kind, value))

    def _gather(self, bar: Progress, deadline: float, interrupt: Interrupt) -> None:
        """Receive until all results are there; at Ctrl-C tell the processes to stop."""
        was_told = False
        while any(result is None for result in self._results):
            if interrupt.requested and not was_told:
                self._tell("stop", None)
                was_told = True
            waiting = [self._reports[at] for at, result in enumerate(self._results) if result is None]
            ready = wait(waiting, timeout=_PATIENCE_S)
            if time.monotonic() > deadline:
                raise InternalError("a process of the load did not end in time")
            for pipe in ready:
                assert isinstance(pipe, Connection)
                self._take(self._reports.index(pipe), *self._receive(pipe))
            self._show(bar)

    def _receive(self, pipe: Connection) -> tuple[str, Any]:
        try:
            kind, value = pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            raise InternalError("a process of the load has ended without a result") from error
        if kind == "error":
            raise InvalidLoadError(value)
        return kind, value

    def _take(self, at: int, kind: str, value: Any) -> None:
        if kind == "counts":
            self._counts[at] = value
        elif kind == "result":
            self._results[at] = value

    def _show(self, bar: Progress) -> None:
        total = {status: sum(counts.get(status, 0) for counts in self._counts) for status in Status}
        figures = {
            status.name.lower(): total[status]
            for status in (Status.SHED, Status.EXPIRED, Status.FAILED)
            if total[status]
        }
        bar.advance(total[Status.UNSENT] - self._sent, **figures)
        self._sent = total[Status.UNSENT]


@contextmanager
def _started(job: HttpJob, processes: int) -> Iterator[_Crew]:
    """Start the processes; none is left at the end."""
    context = multiprocessing.get_context("spawn")
    commands: list[Connection] = []
    reports: list[Connection] = []
    workers = []
    try:
        with _ignored_interrupt():
            for part in range(processes):
                hears, command = context.Pipe(duplex=False)
                report, tells = context.Pipe(duplex=False)
                arguments = (hears, tells, job, part, processes)
                worker = context.Process(target=work, args=arguments, name=f"load-{part}", daemon=True)
                commands.append(command)
                reports.append(report)
                with hears, tells:  # they are the process's now
                    worker.start()
                workers.append(worker)
        yield _Crew(commands, reports)
    finally:
        for pipe in (*commands, *reports):
            pipe.close()
        for worker in workers:
            worker.join(timeout=_START_DELAY_S)
            worker.kill()
            worker.join()


@contextmanager
def _ignored_interrupt() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C, which a terminal sends to all: they are told to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
