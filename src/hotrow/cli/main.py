"""Entry point of the ``hotrow`` command."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from hotrow.cli import _frame
from hotrow.cli.evaluate import evaluate
from hotrow.cli.load import load
from hotrow.cli.models import models
from hotrow.cli.prepare import prepare
from hotrow.cli.rank import rank
from hotrow.cli.report import report
from hotrow.cli.serve import serve
from hotrow.cli.shrink import shrink
from hotrow.cli.synth import synth
from hotrow.cli.train import train
from hotrow.cli.tune import tune
from hotrow.descriptors import open_standard_streams
from hotrow.version import hotrow_version

app = typer.Typer(
    name="hotrow",
    help="Train, shrink and serve deep recommendation models on the servers you have.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _tell_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"hotrow {hotrow_version()}\n")
        raise typer.Exit


@app.callback()
def _callback(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and end."),
    ] = False,
) -> None:
    """Train, shrink and serve deep recommendation models on the servers you have."""


app.add_typer(synth)
app.command()(models)
app.command()(prepare)
app.command()(train)
app.command()(evaluate)
app.command()(shrink)
app.command()(rank)
app.command()(serve)
app.command()(tune)
app.command()(load)
app.command()(report)


def main() -> None:
    """Run the command line and exit with its status."""
    open_standard_streams()
    # Threads that spin while they wait make a busy machine many times slower; an OpenMP pool reads
    # this when it is loaded, so it is set before anything imports torch.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    status = _frame.run(lambda: app(standalone_mode=False))
    if status == _frame.EXIT_INTERRUPTED:  # one more Ctrl-C would kill what is ending, with another status
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sys.stderr.flush()
    except OSError:  # it is full: Python would try again at its end, and fail with a status of its own
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    sys.exit(status)
