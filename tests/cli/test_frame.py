from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import typer

from hotrow.cli import _frame
from hotrow.cli.main import app, main
from hotrow.errors import DataError
from hotrow.version import hotrow_version


def _app(body: object) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def one(number: int = 0) -> None:
        if isinstance(body, BaseException):
            raise body

    return app


def run(body: object, *words: str) -> int:
    app = _app(body)
    return _frame.run(lambda: app(list(words), standalone_mode=False))


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (None, 0, ""),
        (DataError("log.tsv", "found\nnothing", line=3), 2, "error: log.tsv, line 3: found nothing\n"),
        (MemoryError("no 4 TiB"), 2, "error: not enough memory (no 4 TiB)\n"),
        (
            RuntimeError("[at line 127] DefaultCPUAllocator: can't allocate memory: 8 TiB\nframe 0"),
            2,
            "error: not enough memory (DefaultCPUAllocator: can't allocate memory: 8 TiB)\n",
        ),
        (OSError(24, "Too many"), 2, "error: too many open files; raise the limit (ulimit -n)\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (typer.Abort(), 130, "interrupted\n"),
        (typer.Exit(3), 3, ""),
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_ending_has_its_status(
    capsys: pytest.CaptureFixture[str], body: object, status: int, message: str
) -> None:
    assert run(body) == status
    assert capsys.readouterr().err.endswith(message)


@pytest.mark.parametrize("words", [["--number", "x"], ["--nothing"], ["surplus"]])
def test_wrong_arguments_are_told_in_one_line(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(None, *words) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert "--help" in message


def test_a_defect_has_status_1_and_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ZeroDivisionError("oh")) == 1
    message = capsys.readouterr().err
    assert "ZeroDivisionError: oh" in message
    assert message.endswith("error: this is a defect in hotrow; please report the lines above\n")


def test_one_more_ctrl_c_does_not_change_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        return _frame.EXIT_INTERRUPTED

    monkeypatch.setattr(_frame, "run", interrupted)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    signal.raise_signal(signal.SIGINT)


def test_help_has_status_0() -> None:
    assert run(None, "--help") == 0


def test_the_module_is_the_command() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "hotrow", "no-such-command"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert found.stderr.startswith("error: No such command 'no-such-command'")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert _frame.run(lambda: app(["--version"], standalone_mode=False)) == 0
    assert capsys.readouterr().out == f"hotrow {hotrow_version()}\n"
