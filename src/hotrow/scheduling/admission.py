"""Whether a query is let in, by when it would be complete.

The queue is counted in rows, not in requests: a query of 700 candidates is seven times the work of one of
100. A query whose predicted completion is after its time is refused at once, while the client can still
go elsewhere, and is told when to come back; work that would be late anyway only makes others late
(Clockwork, Gujarati et al., OSDI 2020). So at overload what is admitted stays inside the SLA.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hotrow.scheduling.service_time import LinearTime
from hotrow.scheduling.split import count_pieces


@dataclass(frozen=True)
class Backlog:
    """Work admitted and not finished, running sub-batches included.

    Attributes:
        rows: of it.
        pieces: sub-batches.
    """

    rows: int
    pieces: int


@dataclass(frozen=True)
class Prediction:
    """When a query would be complete, from now.

    Attributes:
        wait_ms: until its first sub-batch would begin.
        own_ms: from there to the end of its last.
    """

    wait_ms: float
    own_ms: float

    @property
    def total_ms(self) -> float:
        """From now to the whole answer."""
        return self.wait_ms + self.own_ms


def predict(rows: int, backlog: Backlog, time: LinearTime, *, workers: int, batch_size: int) -> Prediction:
    """Predict a query's completion.

    The work before it is spread evenly over the workers. Running sub-batches count whole, since nobody
    knows how far they are: the prediction errs to the late side by at most one sub-batch.

    Args:
        rows: of the query.
        backlog: what is before it.
        time: of a sub-batch.
        workers: W that share the queue; 1 for the accelerator.
        batch_size: most rows of a sub-batch; for the accelerator the query's rows.
    """
    pieces = max(count_pieces(rows, batch_size), 1)
    piece_ms = time.ms(math.ceil(rows / pieces))
    ahead_ms = backlog.pieces * time.overhead_ms + backlog.rows * time.row_ms
    all_ms = math.ceil(pieces / workers) * piece_ms
    idle = workers - backlog.pieces
    if idle <= 0:
        return Prediction(wait_ms=ahead_ms / workers, own_ms=all_ms)
    busy_ms = ahead_ms / backlog.pieces if backlog.pieces else 0.0
    return Prediction(wait_ms=0.0, own_ms=min(math.ceil(pieces / idle) * piece_ms, busy_ms + all_ms))


@dataclass(frozen=True, kw_only=True)
class AdmissionConfig:
    """Limits.

    Attributes:
        max_rows: that may be unfinished; a query that finds nothing unfinished is not measured by it.
        target_ms: the latency promised, e.g. the SLA.
        margin: share of the target that a prediction may fill; the rest is for what cannot be foreseen.
        least_wait: share of the target that any query may wait. A query so large that it would miss the
            target on idle workers is late anyway; it is let in where that hurts others little, because
            coming back later would not help it.
    """

    max_rows: int
    target_ms: float
    margin: float = 0.9
    least_wait: float = 0.1


Reason = Literal["queue full", "too late", "past its deadline"]


@dataclass(frozen=True)
class Decision:
    """Admitted, or refused with a reason.

    Attributes:
        prediction: of its completion.
        reason: why it is refused; None: it is admitted.
        retry_after_s: when it would be admitted if nothing else came; None if admitted, or if waiting
            would not help.
    """

    prediction: Prediction
    reason: Reason | None = None
    retry_after_s: float | None = None

    @property
    def admitted(self) -> bool:
        """Whether it is let in."""
        return self.reason is None


def decide(
    rows: int,
    backlog: Backlog,
    prediction: Prediction,
    config: AdmissionConfig,
    deadline_ms: float = math.inf,
) -> Decision:
    """Admit a query or refuse it.

    Args:
        rows: of the query.
        backlog: what is unfinished on its side (workers or accelerator).
        prediction: from ``predict``.
        config: the limits.
        deadline_ms: from now, if the client gave one: later than that the answer is of no use to it.
    """
    if prediction.own_ms > deadline_ms:
        return Decision(prediction, "past its deadline")
    most_wait = max(
        config.margin * config.target_ms - prediction.own_ms, config.least_wait * config.target_ms
    )
    most_wait = min(most_wait, deadline_ms - prediction.own_ms)
    if backlog.rows and backlog.rows + rows > config.max_rows:
        over = min(backlog.rows + rows - config.max_rows, backlog.rows)
        drained = prediction.wait_ms * over / backlog.rows
        return Decision(prediction, "queue full", _seconds(max(drained, prediction.wait_ms - most_wait)))
    if prediction.wait_ms > most_wait:
        reason: Reason = "too late" if math.isinf(deadline_ms) else "past its deadline"
        return Decision(prediction, reason, _seconds(prediction.wait_ms - most_wait))
    return Decision(prediction)


def _seconds(ms: float) -> float:
    """A thousandth at least: to come back at once would be to hammer."""
    return max(ms / 1000, 0.001)
