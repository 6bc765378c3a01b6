"""When a worker that does not answer counts as hanging: a deadlock, an endless loop, a disk that is gone."""

from __future__ import annotations

from hotrow.scheduling.service_time import LinearTime

FACTOR = 100.0
"""A task may take so many times what it is predicted to: neighbours, page faults and bodies to decode."""


def hang_limit(rows: int, time: LinearTime, least_s: float) -> float:
    """Return the seconds after which a worker that has not done a task will never have done it.

    Too early only costs work that is done again, too late keeps clients waiting: it is generous both ways,
    in seconds for small tasks and in predicted times for large ones.

    Args:
        rows: of the task.
        time: of a sub-batch, as known by now.
        least_s: granted to every task.
    """
    return max(least_s, FACTOR * time.ms(rows) / 1000)
