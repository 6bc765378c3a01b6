from __future__ import annotations

import json
import logging
import sys
from typing import Any

import numpy as np
import pytest

from hotrow.errors import RequestError
from hotrow.serving.engine.request import Scores
from hotrow.serving.logs import JsonFormatter, RequestLog, is_json, write_json

SCORES = Scores(np.zeros((3, 1), dtype=np.float32), b"", 0.001, 0.002)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


def test_a_request_leaves_one_line(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog(1.0)
    log.write(None, SCORES, None, 0.0045)
    log.write("OTHER", None, RequestError('found "x"\nand a line'), 0.001)
    answered, refused = lines(caplog)
    assert answered["logger"] == "hotrow.serving.requests"
    assert answered["level"] == "INFO"
    expected = {"outcome": "OK", "ms": 4.5, "rows": 3, "queued_ms": 1.0, "work_ms": 2.0}
    assert expected.items() <= answered.items()
    assert {"outcome": "OTHER", "error": 'found "x"\nand a line'}.items() <= refused.items()
    assert all("\n" not in JsonFormatter().format(record) for record in caplog.records)


def test_a_client_cannot_write_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    forged = "no feature 'x\r\nINFO hotrow.serving.requests: request outcome=OK\x1b[2J\u2028'"
    RequestLog(1.0).write("OTHER", None, RequestError(forged), 0.001)
    (line,) = [logging.Formatter().format(record) for record in caplog.records]
    assert line.isprintable()
    assert line.endswith(f"error={forged!r}")


@pytest.mark.parametrize(("share", "count"), [(1.0, 100), (0.25, 25), (0.0, 0)])
def test_an_even_share_is_logged(caplog: pytest.LogCaptureFixture, share: float, count: int) -> None:
    log = RequestLog(share)
    for _ in range(100):
        log.write(None, SCORES, None, 0.001)
    assert len(caplog.records) == count


def test_a_line_has_time_and_traceback() -> None:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        record = logging.LogRecord("a.b", logging.ERROR, "f", 1, "it %s", ("failed",), sys.exc_info())
    record.created, record.msecs = 0.25, 250.0
    line = json.loads(JsonFormatter().format(record))
    assert line["time"] == "1970-01-01T00:00:00.250Z"
    assert (line["level"], line["logger"], line["message"]) == ("ERROR", "a.b", "it failed")
    assert "ZeroDivisionError: division by zero" in line["exception"]


def test_all_handlers_may_write_json(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logging.StreamHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    assert not is_json()
    write_json()
    assert is_json()
    assert isinstance(handler.formatter, JsonFormatter)
