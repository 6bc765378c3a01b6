from __future__ import annotations

import signal
from pathlib import Path

import pytest

from hotrow.cli import _frame
from hotrow.cli.main import app


def hotrow(*words: object) -> int:
    return _frame.run(lambda: app([str(word) for word in words], standalone_mode=False))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none",), "none/model/model.json: not found, expected a model written by `hotrow train`"),
        (("RUN", "--workers", -1), "engine.workers: got -1, expected at least 1"),
        (("RUN", "--port", 70000), "port: got 70000, expected 0 to 65535"),
        (("RUN", "--port", "http"), "Invalid value for '--port'"),
        (("RUN", "--drain-s", -1), "drain_seconds: got -1.0"),
        (("RUN", "--host", "no.such.host.invalid"), "host: got 'no.such.host.invalid'"),
        (("RUN", "--port", 0, "--name", "a/b"), "name: got 'a/b', expected letters"),
        (("RUN", "--tls-cert", "a.pem"), "tls_cert, tls_key: got 'a.pem', expected both or none"),
        (("RUN", "--port", 0, "--token-file", "none"), "none: not found, expected a file with the token"),
        (("RUN", "--log-requests", 2), "log_requests: got 2.0, expected 0 to 1"),
        (("RUN", "--sla-ms", 0), "engine.sla_ms: got 0.0, expected milliseconds, more than 0"),
    ],
)
def test_mistakes_are_told_in_one_line(
    criteo_run: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], message: str
) -> None:
    assert hotrow("serve", *(criteo_run if word == "RUN" else word for word in words)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("serve", "--help") == 0
    assert "hotrow serve runs/a --port 8000" in capsys.readouterr().out
