from __future__ import annotations

import json
import logging
import signal
from pathlib import Path

import pytest

from hotrow.cli import _frame
from hotrow.cli.main import app
from hotrow.cli.serve import _announce
from hotrow.serving import Served
from hotrow.serving.logs import write_json


def hotrow(*words: object) -> int:
    return _frame.run(lambda: app([str(word) for word in words], standalone_mode=False))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none",), "none/model/model.json: not found, expected a model written by `hotrow train`"),
        (("RUN", "--workers", -1), "--workers: got -1, expected at least 1"),
        (("RUN", "--workers", 0), "--workers: got 0, expected at least 1"),
        (
            ("RUN", "--device", "cuda"),
            "--offload-threshold: missing, expected rows from which queries go to",
        ),
        (("RUN", "--port", 70000), "--port: got 70000, expected 0 to 65535"),
        (("RUN", "--port", "http"), "Invalid value for '--port'"),
        (("RUN", "--drain-s", -1), "--drain-s: got -1.0"),
        (("RUN", "--host", "no.such.host.invalid"), "--host: got 'no.such.host.invalid'"),
        (("RUN", "--port", 0, "--name", "a/b"), "name: got 'a/b', expected letters"),
        (("RUN", "--tls-cert", "a.pem"), "--tls-cert, --tls-key: got 'a.pem', expected both or none"),
        (("RUN", "--port", 0, "--token-file", "none"), "none: not found, expected a file with the token"),
        (("RUN", "--log-requests", 2), "--log-requests: got 2.0, expected 0 to 1"),
        (("RUN", "--sla-ms", 0), "--sla-ms: got 0.0, expected milliseconds, more than 0"),
    ],
)
def test_mistakes_are_told_in_one_line(
    criteo_run: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], message: str
) -> None:
    assert hotrow("serve", *(criteo_run if word == "RUN" else word for word in words)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    *before, last = printed.err.splitlines()
    assert set(before) <= {"INFO hotrow.serving.server: loading the model"}
    assert last.startswith("error: ")
    assert message in last
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("is_json", [False, True])
def test_the_addresses_are_told_as_the_logs_are(capsys: pytest.CaptureFixture[str], is_json: bool) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    _frame.set_up_logging(verbose=False)
    if is_json:
        write_json()
    try:
        _announce(Served("m", "http://127.0.0.1:8000", "127.0.0.1:8001"))
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = capsys.readouterr().err.splitlines()
    text = json.loads(line)["message"] if is_json else line
    assert text.startswith("serving m at http://127.0.0.1:8000 and by gRPC at 127.0.0.1:8001 (POST /v2/")
    if is_json:
        assert json.loads(line)["url"] == "http://127.0.0.1:8000"


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("serve", "--help") == 0
    assert "hotrow serve runs/a --port 8000" in capsys.readouterr().out
