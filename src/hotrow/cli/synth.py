"""``hotrow synth``: logs with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show, table

if TYPE_CHECKING:
    from hotrow.synth import SynthReport

synth = typer.Typer(name="synth", help="Write a log whose true click probabilities are known.")


@synth.callback()
def _callback() -> None:
    """Write a log whose true click probabilities are known."""


@synth.command()
def criteo(
    rows: Annotated[int, typer.Option(help="Rows to write.")],
    out: Annotated[Path, typer.Option(help="File to write; compressed if its name ends in .gz.")],
    seed: Annotated[int, typer.Option(help="Equal seeds and rows give equal files.")] = 0,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write a log in Criteo's format, with its sizes and skew, and labels drawn from a planted model.

    Tells the AUC of the truth itself (oracle_auc) and of what can be learnt of it (learnable_auc),
    both on the rows after the first 6/7. FILE is complete or absent,
    and replaced if it is there.

    \b
    Example:
      hotrow synth criteo --rows 2000000 --seed 1 --out clicks.txt
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from hotrow.synth import synthesize_criteo

    set_up_logging(verbose)
    report = synthesize_criteo(out, rows, seed, show_progress=True)
    show(report.to_mapping(), as_json=as_json, text=_text(report))


def _text(report: SynthReport) -> str:
    from hotrow.units import format_bytes

    facts: dict[str, object] = {
        "rows": report.rows,
        "seed": report.seed,
        "size": format_bytes(report.bytes),
        "click rate": report.click_rate,
        "held-out rows": report.evaluated_rows,
        "AUC of the truth": _area(report.oracle_auc, report.oracle_auc_error),
        "AUC of what can be learnt": _area(report.learnable_auc, report.learnable_auc_error),
        "rows/s": report.rows_per_second,
    }
    return table(f"wrote {report.out}", facts)


def _area(area: float | None, error: float | None) -> str:
    if area is None or error is None:
        return "undefined: the held-out rows hold one class only"
    return f"{area:.4f} (to within {error:.1g})" if error else f"{area:.4f}"
