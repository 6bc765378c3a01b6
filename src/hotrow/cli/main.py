"""Entry point of the ``hotrow`` command."""

from __future__ import annotations

import sys

import typer

from hotrow.cli import _frame

app = typer.Typer(
    name="hotrow",
    help="Train, shrink and serve deep recommendation models on the servers you have.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def _callback() -> None:
    """Train, shrink and serve deep recommendation models on the servers you have."""


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(_frame.run(lambda: app(standalone_mode=False)))
