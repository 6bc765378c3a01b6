"""``hotrow models``: the model zoo."""

from __future__ import annotations

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show

_KAGGLE_ROWS = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)


def models(as_json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """List the models: paper, parameters, bytes of tables, FLOP and gathered bytes per item.

    Sizes are for the tables of the Criteo Kaggle data set (26 features, 33.8M rows, 13 dense).

    \b
    Example:
      hotrow models --json
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from dataclasses import asdict

    from hotrow.models import config_type, preset, presets
    from hotrow.types import Inputs

    set_up_logging(verbose)
    names = tuple(f"C{number}" for number in range(1, len(_KAGGLE_ROWS) + 1))
    inputs = Inputs(num_dense=13, names=names, rows=_KAGGLE_ROWS)
    zoo = [
        {"name": name, "paper": config_type(name).paper, **asdict(preset(name, inputs).facts())}
        for name in presets()
    ]
    show({"models": zoo}, as_json=as_json, text=_text(zoo))


def _text(zoo: list[dict[str, object]]) -> str:
    from hotrow.units import format_bytes, format_count

    def row(entry: dict[str, object]) -> tuple[str, ...]:
        numbers = {key: int(str(entry[key])) for key in entry if key not in ("name", "paper")}
        return (
            str(entry["name"]),
            format_count(numbers["parameters"]),
            format_bytes(numbers["table_bytes"]),
            f"{format_count(numbers['flop_per_item'])}FLOP",
            format_bytes(numbers["gathered_bytes_per_item"]),
            str(entry["paper"]),
        )

    heads = ("model", "parameters", "tables", "per item", "gathered", "paper")
    lines = [heads, *(row(entry) for entry in zoo)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
