"""Trials against a server over HTTP, made by a process of their own that stays from trial to trial.

What it costs to make the load is then no part of the process that searches (or serves), and the load's
own start is paid once.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import multiprocessing
import signal
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np

from hotrow.errors import InternalError, InvalidLoadError, UserError
from hotrow.load.burst import measure_burst
from hotrow.load.http.answers import BadAnswerError
from hotrow.load.http.connection import ConnectionLostError
from hotrow.load.http.sender import HttpSender
from hotrow.load.job import HttpJob
from hotrow.load.sizes import parse_sizes
from hotrow.load.trial import OfTrial, TrialLoad, measure_trial, trial_lag_ms
from hotrow.scheduling.trial import Outcome, Trial

_END_S = 5.0


class TrialProcess:
    """Measures trials against a server.

    Args:
        job: server, queries and their sizes; its rate and times are those of each trial.
        sla_ms: target of the latencies.

    Attributes:
        lag_ms: how late the generator was, 99th percentile of the worst trial that was not stopped.
    """

    def __init__(self, job: HttpJob, *, sla_ms: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.lag_ms = 0.0
        self._process = context.Process(target=_work, args=(theirs, job, sla_ms), name="trials", daemon=True)
        self._process.start()
        theirs.close()

    def measure(self, trial: Trial) -> Outcome:
        """Make the load of a trial and return what was measured.

        Raises:
            UserError: the load cannot be made, or queries were answered, but none well.
            InternalError: the process has ended.
        """
        try:
            self._pipe.send(trial)
            kind, value = self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            raise InternalError("the process that makes the load has ended") from error
        if kind == "error":
            raise InvalidLoadError(value)
        outcome: Outcome
        outcome, lag_ms = value
        self.lag_ms = max(self.lag_ms, lag_ms)
        return outcome

    def close(self) -> None:
        """End the process; a trial under way is dropped."""
        self._pipe.close()
        self._process.join(timeout=_END_S)
        self._process.kill()
        self._process.join()

    def __enter__(self) -> TrialProcess:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()


def _work(pipe: Connection, job: HttpJob, sla_ms: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    try:
        queries, sizes = job.queries(), parse_sizes(job.config.sizes)
        with asyncio.Runner() as runner:
            sender = runner.run(_sender(job))
            gc.collect()
            gc.freeze()
            for count in itertools.count():
                trial: Trial = pipe.recv()
                load = TrialLoad(
                    send=sender.send,
                    queries=OfTrial(queries, count),
                    sizes=sizes,
                    sla_ms=sla_ms,
                )
                pipe.send(runner.run(_measured(load, trial, job.config.seed + count)))
    except UserError as error:
        pipe.send(("error", str(error)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone


async def _measured(load: TrialLoad, trial: Trial, seed: int) -> tuple[str, Any]:
    if trial.is_burst:
        try:
            return "measured", (await measure_burst(load, trial, seed=seed), 0.0)
        except (BadAnswerError, ConnectionLostError, OSError) as error:
            return "error", f"a query of a burst failed: {error}"
    outcome, result = await measure_trial(load, trial, seed=seed)
    if result.first_failure and not np.isfinite(outcome.latencies_ms).any():
        return "error", f"no query was answered; the first failed with: {result.first_failure}"
    return "measured", (outcome, trial_lag_ms(outcome, result, trial, sla_ms=load.sla_ms))


async def _sender(job: HttpJob) -> HttpSender:
    return HttpSender(job.url, is_ranking=job.is_ranking)
