"""``hotrow report``: one HTML page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, finished or not.")],
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="The page; an older one is replaced.")],
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write one self-contained HTML page about a run: results, learning curves, how to repeat it.

    \b
    Example:
      hotrow report runs/a --out report.html
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from hotrow.errors import ConfigError
    from hotrow.report import write_report

    set_up_logging(verbose)
    if out.is_dir():
        raise ConfigError("--out", str(out), "a file name, not a folder")
    write_report(run, out)
    show({"path": str(out)}, as_json=as_json, text=f"report in {out}")
