"""Logs as JSON lines, and the lines that requests leave in them."""

from __future__ import annotations

import logging
import time

import msgspec

from hotrow.errors import RequestError
from hotrow.serving.engine.request import Scores
from hotrow.serving.statistics import Reason

_LOG = logging.getLogger("hotrow.serving.requests")


class JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object: time, level, logger, message, and what came as ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        seconds = time.gmtime(record.created)
        line = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', seconds)}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def write_json() -> None:
    """Let all that this process logs be JSON lines."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonFormatter())


def is_json() -> bool:
    """Return whether it is."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


class RequestLog:
    """Logs an even share of all requests.

    Args:
        share: of them, 0 to 1.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._due = 0.0
        if share:
            _LOG.setLevel(logging.INFO)

    def write(
        self, outcome: Reason | None, scores: Scores | None, error: BaseException | None, seconds: float
    ) -> None:
        """Log a request that has ended, if it is its turn.

        Args:
            outcome: why it failed; None: it was answered.
            scores: of its rows.
            error: that it failed with.
            seconds: that it took.
        """
        self._due += self._share
        if self._due < 1:
            return
        self._due -= 1
        fields: dict[str, object] = {"outcome": outcome or "OK", "ms": round(seconds * 1e3, 3)}
        if scores is not None:
            fields |= {
                "rows": len(scores.values),
                "queued_ms": round(scores.queued_seconds * 1e3, 3),
                "work_ms": round(scores.work_seconds * 1e3, 3),
            }
        if isinstance(error, RequestError):
            fields["error"] = str(error)[:200]
        # What clients write stands in quotes, line ends escaped: it cannot pass for a line of ours.
        shown = {name: repr(value) if name == "error" else value for name, value in fields.items()}
        text = " ".join(f"{name}={value}" for name, value in shown.items())
        _LOG.info("request %s", text, extra={"fields": fields})
