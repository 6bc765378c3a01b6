"""``hotrow models``: the model zoo."""

from __future__ import annotations

from typing import Any

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show


def models(as_json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """List the models: paper, parameters, bytes of tables, FLOP and gathered bytes per item.

    Sizes are for the inputs that each was published with; of a model that takes any, for those of
    the Criteo Kaggle data set (26 features, 33.8M rows, 13 dense).

    \b
    Example:
      hotrow models --json
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from dataclasses import asdict

    from hotrow.models import model_name, paper_inputs, paper_of, preset, presets

    set_up_logging(verbose)
    zoo = [
        {
            "name": name,
            "model": model_name(name),
            "paper": paper_of(name),
            **asdict(preset(name, paper_inputs(name)).facts()),
        }
        for name in presets()
    ]
    show({"models": zoo}, as_json=as_json, text=_text(zoo))


def _text(zoo: list[dict[str, Any]]) -> str:
    from hotrow.units import format_bytes, format_count

    def row(entry: dict[str, Any]) -> tuple[str, ...]:
        intensity = entry["flop_per_byte"]
        return (
            entry["name"],
            format_count(entry["parameters"]),
            format_bytes(entry["table_bytes"]),
            f"{format_count(entry['flop_per_item'])}FLOP",
            format_bytes(entry["gathered_bytes_per_item"]),
            f"{intensity:.0f}" if intensity >= 100 else f"{intensity:.3g}",
            entry["paper"],
        )

    heads = ("model", "parameters", "tables", "per item", "gathered", "FLOP/byte", "paper")
    lines = [heads, *(row(entry) for entry in zoo)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
